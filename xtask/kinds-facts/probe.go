package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	aggregatorscheme "k8s.io/kube-aggregator/pkg/apiserver/scheme"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// This file asks the registry's strategies by trying them on a full object of each kind.

func codecs(version served) serializer.CodecFactory {
	switch version.gv.Group {
	case "apiextensions.k8s.io":
		return apiserver.Codecs
	case "apiregistration.k8s.io":
		return aggregatorscheme.Codecs
	}
	return legacyscheme.Codecs
}

func fieldAPIVersion(version served) fieldpath.APIVersion {
	return fieldpath.APIVersion(version.gv.String())
}

var corpus = sync.OnceValue(func() string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/api").Output()
	must(err)
	return filepath.Join(strings.TrimSpace(string(out)), "testdata/HEAD")
})

// extras are full objects of the kinds that the corpus lacks.
var extraObjects = map[string]string{
	"CustomResourceDefinition": `{"spec":{"group":"g","scope":"Namespaced","names":{"plural":"p","kind":"K"},
		"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object"}}}]},
		"status":{"storedVersions":["v1"],"acceptedNames":{"plural":"p","kind":"K"}}}`,
	"APIService": `{"spec":{"group":"g","version":"v1","groupPriorityMinimum":1,"versionPriority":1,
		"service":{"name":"n","namespace":"ns"}},"status":{"conditions":[{"type":"Available","status":"True"}]}}`,
}

// fullObject is an object of this kind in which every field has a value.
func fullObject(gvk schema.GroupVersionKind) map[string]any {
	group := gvk.Group
	if group == "" {
		group = "core"
	}
	text, err := os.ReadFile(filepath.Join(corpus(), fmt.Sprintf("%s.%s.%s.json", group, gvk.Version, gvk.Kind)))
	if extra, ok := extraObjects[gvk.Kind]; ok && err != nil {
		text, err = []byte(extra), nil
	}
	must(err)
	var object map[string]any
	must(json.Unmarshal(text, &object))
	object["apiVersion"], object["kind"] = gvk.GroupVersion().String(), gvk.Kind
	if object["metadata"] == nil {
		object["metadata"] = map[string]any{}
	}
	metadata := object["metadata"].(map[string]any)
	for key, value := range map[string]any{
		"name": "thing", "namespace": "somewhere", "uid": "u", "resourceVersion": "5", "generation": 7.0,
		"labels": map[string]any{"a": "b"}, "annotations": map[string]any{"a": "b"}, "finalizers": []any{"a/b"},
		"ownerReferences": []any{map[string]any{"apiVersion": "v1", "kind": "K", "name": "n", "uid": "u"}},
	} {
		metadata[key] = value
	}
	delete(metadata, "deletionTimestamp")
	delete(metadata, "deletionGracePeriodSeconds")
	delete(metadata, "managedFields")
	return object
}

func decode(version served, object map[string]any) runtime.Object {
	decoded, err := tryDecode(version, object)
	must(err)
	return decoded
}

func tryDecode(version served, object map[string]any) (runtime.Object, error) {
	text, err := json.Marshal(object)
	must(err)
	decoded, _, err := codecs(version).UniversalDecoder().Decode(text, nil, nil)
	return decoded, err
}

func encode(version served, object runtime.Object) map[string]any {
	text, err := runtime.Encode(codecs(version).LegacyCodec(version.gv), object)
	must(err)
	var encoded map[string]any
	must(json.Unmarshal(text, &encoded))
	return encoded
}

func clone(object map[string]any) map[string]any {
	text, err := json.Marshal(object)
	must(err)
	var copied map[string]any
	must(json.Unmarshal(text, &copied))
	return copied
}

func at(object map[string]any, path string) any {
	var value any = object
	for _, name := range strings.Split(path, ".") {
		inner, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = inner[name]
	}
	return value
}

func put(object map[string]any, path string, value any) {
	names := strings.Split(path, ".")
	for _, name := range names[:len(names)-1] {
		object = object[name].(map[string]any)
	}
	if value == nil {
		delete(object, names[len(names)-1])
	} else {
		object[names[len(names)-1]] = value
	}
}

// leavesMax bounds how many leaves of a value are tried.
const leavesMax = 40

// altered gives versions of a value that differ from it: absent, and with one leaf changed each.
func altered(value any) []any {
	others := []any{nil}
	for skip := range leavesMax {
		left := skip
		other := alter(value, &left)
		if left >= 0 {
			break
		}
		others = append(others, other)
	}
	return others
}

// alter changes one text or number inside a value: the one after `skip` others.
func alter(value any, skip *int) any {
	switch value := value.(type) {
	case []any:
		changed := slices.Clone(value)
		for i, inner := range value {
			if *skip >= 0 {
				changed[i] = alter(inner, skip)
			}
		}
		return changed
	case map[string]any:
		changed := maps.Clone(value)
		for _, key := range sortedKeys(value) {
			if *skip >= 0 {
				changed[key] = alter(value[key], skip)
			}
		}
		return changed
	}
	*skip--
	if *skip >= 0 {
		return value
	}
	switch value := value.(type) {
	case string:
		return value + "x"
	case float64:
		return value + 1
	case bool:
		return !value
	}
	return value
}

// watched are the paths that are altered one by one.
func watched(object map[string]any) []string {
	paths := []string{"metadata.annotations", "metadata.finalizers", "metadata.labels", "metadata.ownerReferences"}
	for _, name := range sortedKeys(object) {
		if name != "apiVersion" && name != "kind" && name != "metadata" {
			paths = append(paths, name)
		}
	}
	return paths
}

// probe finds what creating and updating do not take from the client, and what moves the generation.
func probe(ctx context.Context, version served, gvk schema.GroupVersionKind, store *genericregistry.Store) []string {
	full := fullObject(gvk)
	prepared, fine := prepare(ctx, version, full, store.CreateStrategy)
	var ignores []string
	for _, path := range watched(full) {
		without := clone(full)
		put(without, path, nil)
		other, also := prepare(ctx, version, without, store.CreateStrategy)
		if fine && also && reflect.DeepEqual(at(prepared, path), at(other, path)) && !reflect.DeepEqual(at(full, path), at(prepared, path)) {
			ignores = append(ignores, path)
		}
	}
	moves, restores := probeUpdate(ctx, version, gvk, store.UpdateStrategy)
	words := []string{listWord("createIgnores", ignores), listWord("updateIgnores", restores)}
	if at(prepared, "metadata.generation") == 1.0 || len(moves) > 0 {
		if len(moves) == 0 {
			moves = []string{"never"}
		}
		words = append(words, listWord("generation", moves))
	}
	return words
}

// prepare gives the object as it would be created.
func prepare(ctx context.Context, version served, object map[string]any, strategy rest.RESTCreateStrategy) (map[string]any, bool) {
	created := decode(version, object)
	fine := tried(func() { strategy.PrepareForCreate(ctx, created) })
	return encode(version, created), fine
}

func isEmpty(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case map[string]any:
		for _, inner := range value {
			if !isEmpty(inner) {
				return false
			}
		}
		return true
	case []any:
		return len(value) == 0
	case string:
		return value == ""
	case float64:
		return value == 0
	case bool:
		return !value
	}
	return false
}

func probeUpdate(ctx context.Context, version served, gvk schema.GroupVersionKind, strategy rest.RESTUpdateStrategy) (moves, ignores []string) {
	full := fullObject(gvk)
	baseline := encode(version, decode(version, full))
	untouched, fine := update(ctx, version, baseline, full, strategy)
	if !fine {
		fail("%v: an update that changes nothing panics", gvk)
	}
	for _, path := range watched(full) {
		moved, ignored, tries := false, true, 0
		for _, value := range altered(at(baseline, path)) {
			changed := clone(baseline)
			put(changed, path, value)
			object, err := tryDecode(version, changed)
			if err != nil || reflect.DeepEqual(at(encode(version, object), path), at(baseline, path)) {
				continue
			}
			updated, fine := update(ctx, version, changed, full, strategy)
			if !fine {
				continue
			}
			tries++
			moved = moved || at(updated, "metadata.generation") != at(untouched, "metadata.generation")
			ignored = ignored && reflect.DeepEqual(at(updated, path), at(untouched, path))
		}
		if tries == 0 {
			// Secret's stringData is never shown, and so never altered.
			continue
		}
		if moved {
			moves = append(moves, path)
		}
		if ignored {
			ignores = append(ignores, path)
		}
	}
	return moves, ignores
}

// update gives the object as it would be after an update.
func update(ctx context.Context, version served, object, old map[string]any, strategy rest.RESTUpdateStrategy) (map[string]any, bool) {
	updated, err := tryDecode(version, object)
	must(err)
	fine := tried(func() { strategy.PrepareForUpdate(ctx, updated, decode(version, old)) })
	return encode(version, updated), fine
}

// tried reports whether the strategy coped with the object.
func tried(do func()) (fine bool) {
	defer func() { fine = recover() == nil }()
	do()
	return
}

// selectLines gives the field selectors of a kind with the JSON path each reads.
func selectLines(version served, resource apidiscoveryv2.APIResourceDiscovery, store *genericregistry.Store) []string {
	gvk := version.gv.WithKind(resource.ResponseKind.Kind)
	full := fullObject(gvk)
	object := decode(version, full)
	shown := encode(version, object)
	attributes := store.PredicateFunc(labels.Everything(), fields.Everything())
	_, values, err := attributes.GetAttrs(object)
	must(err)
	_, empty, err := attributes.GetAttrs(store.NewFunc())
	must(err)
	var lines []string
	for _, label := range slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(renamed), sortedKeys(values)...)))) {
		target, _, err := version.scheme.ConvertFieldLabel(gvk, label, "x")
		if err != nil || !values.Has(target) || strings.HasPrefix(label, "metadata.") {
			continue
		}
		path := ""
		for _, candidate := range []string{label, target, elsewhere[label]} {
			if value := at(shown, candidate); path == "" && (value == nil && values[target] == "" || fmt.Sprint(value) == values[target]) {
				path = candidate
			}
		}
		if path == "" {
			fail("%v: %s selects %q, which no path gives", gvk, label, values[target])
		}
		line := " select " + label
		if path != label {
			line += " path=" + path
		}
		if other := otherwise[label]; other != "" {
			line += " otherwise=" + other
		}
		if empty[target] != "" {
			line += " absent=" + empty[target]
		}
		lines = append(lines, line)
	}
	return lines
}

// renamed are labels that upstream accepts under another name than the one it selects by.
var renamed = []string{
	"name", "spec.host", "reportingController", "regarding.apiVersion", "regarding.fieldPath", "regarding.kind",
	"regarding.name", "regarding.namespace", "regarding.resourceVersion", "regarding.uid",
}

// otherwise are the paths that count where the label's own holds no text; a full object cannot show them.
var otherwise = map[string]string{"source": "reportingComponent"}

// elsewhere are the labels that are no JSON path.
var elsewhere = map[string]string{"source": "source.component", "status.successful": "status.succeeded"}

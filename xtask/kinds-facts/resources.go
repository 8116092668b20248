package main

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/endpoints/deprecation"
	"k8s.io/apiserver/pkg/endpoints/discovery"
	"k8s.io/apiserver/pkg/endpoints/request"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	controlplaneapiserver "k8s.io/kubernetes/pkg/controlplane/apiserver"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// priorities gives upstream's place for the groups whose table is private to its command.
// `-compare` checks them against the APIServices of a live server.
var priorities = map[string][2]int32{
	"apiregistration.k8s.io/v1": {18000, 1},
	"apps/v1":                   {17800, 15},
	"autoscaling/v1":            {17500, 15},
	"autoscaling/v2":            {17500, 30},
	"batch/v1":                  {17400, 15},
	"networking.k8s.io/v1":      {17200, 15},
	"policy/v1":                 {17100, 15},
	"storage.k8s.io/v1":         {16800, 15},
	"scheduling.k8s.io/v1":      {16600, 15},
	"node.k8s.io/v1":            {16300, 15},
	"resource.k8s.io/v1":        {16200, 21},
}

func describeRegistry(all []served) []string {
	slices.SortFunc(all, func(a, b served) int { return strings.Compare(a.gv.String(), b.gv.String()) })
	generic := controlplaneapiserver.DefaultGenericAPIServicePriorities()
	var lines []string
	for _, version := range all {
		place, ok := priorities[version.gv.String()]
		if known, found := generic[version.gv]; found {
			place, ok = [2]int32{known.Group, known.Version}, true
		}
		if !ok {
			fail("%s: has no priority", version.gv)
		}
		lines = append(lines, fmt.Sprintf("version %s %d %d", version.gv, place[0], place[1]))
		for _, resource := range version.resources {
			lines = append(lines, describeResource(version, resource)...)
		}
	}
	return lines
}

func describeResource(version served, resource apidiscoveryv2.APIResourceDiscovery) []string {
	storage := version.storage[resource.Resource]
	words := []string{"resource", resource.Resource}
	if resource.ResponseKind == nil {
		fail("%s %s: has no kind", version.gv, resource.Resource)
	}
	words = append(words, resource.ResponseKind.Kind, scopeWord(resource.Scope))
	words = append(words, listWord("verbs", resource.Verbs), "singular="+resource.SingularResource)
	words = append(words, listWord("short", resource.ShortNames), listWord("categories", resource.Categories))
	if lister, ok := storage.(rest.Lister); ok {
		kinds, _, err := version.scheme.ObjectKinds(lister.NewList())
		must(err)
		words = append(words, "list="+kinds[0].Kind)
	}
	store := storeOf(storage)
	var below []string
	if store != nil {
		words = append(words, storeWords(version, resource, store)...)
		below = append(below, selectLines(version, resource, store)...)
	} else {
		words = append(words, "virtual")
	}
	below = append(below, deprecatedLines(version, resource)...)
	below = append(below, columnLines(version, resource, storage)...)
	for _, sub := range resource.Subresources {
		below = append(below, subresourceLine(version, resource, sub))
	}
	return append([]string{strings.Join(nonEmpty(words), " ")}, below...)
}

func scopeWord(scope apidiscoveryv2.ResourceScope) string {
	if scope == apidiscoveryv2.ScopeNamespace {
		return "namespaced"
	}
	return "cluster"
}

func listWord(name string, words []string) string {
	if len(words) == 0 {
		return ""
	}
	return name + "=" + strings.Join(words, ",")
}

func word(name string, on bool) string {
	if on {
		return name
	}
	return ""
}

// occasion is the context of a request for a resource.
func occasion(version served, resource, subresource string, namespaced bool) context.Context {
	ctx := request.WithUser(context.Background(), &user.DefaultInfo{Name: "someone"})
	if namespaced {
		ctx = request.WithNamespace(ctx, "somewhere")
	}
	return request.WithRequestInfo(ctx, &request.RequestInfo{
		IsResourceRequest: true, Verb: "update", APIGroup: version.gv.Group, APIVersion: version.gv.Version,
		Resource: resource, Subresource: subresource, Name: "thing",
	})
}

func storeWords(version served, resource apidiscoveryv2.APIResourceDiscovery, store *genericregistry.Store) []string {
	namespaced := resource.Scope == apidiscoveryv2.ScopeNamespace
	ctx := occasion(version, resource.Resource, "", namespaced)
	key, err := store.KeyFunc(ctx, "thing")
	must(err)
	prefix := strings.TrimSuffix(strings.TrimPrefix(key, "/"), "/thing")
	if namespaced {
		prefix = strings.TrimSuffix(prefix, "/somewhere")
	}
	gvk := version.gv.WithKind(resource.ResponseKind.Kind)
	stored := storedVersion(version, store)
	words := []string{"key=" + prefix, "hash=" + discovery.StorageVersionHash(stored.Group, stored.Version, gvk.Kind)}
	if stored != version.gv {
		words = append(words, "stored="+stored.String())
	}
	words = append(words, word("unconditionalUpdate", store.UpdateStrategy.AllowUnconditionalUpdate(ctx)))
	words = append(words, word("createOnUpdate", store.UpdateStrategy.AllowCreateOnUpdate(ctx)))
	words = append(words, word("returnsDeleted", store.ReturnDeletedObject))
	_, graceful := store.DeleteStrategy.(rest.RESTGracefulDeleteStrategy)
	words = append(words, word("graceful", graceful))
	if collector, ok := store.DeleteStrategy.(rest.GarbageCollectionDeleteStrategy); ok {
		if policy := collector.DefaultGarbageCollectionPolicy(ctx); policy != rest.DeleteDependents {
			words = append(words, "gc="+string(policy))
		}
	}
	if store.TTLFunc != nil {
		seconds, err := store.TTLFunc(store.NewFunc(), 0, false)
		must(err)
		words = append(words, "ttl="+(time.Duration(seconds)*time.Second).String())
	}
	words = append(words, resetWord(version, store.ResetFieldsStrategy))
	words = append(words, probe(ctx, version, gvk, store)...)
	return words
}

func storedVersion(version served, store *genericregistry.Store) schema.GroupVersion {
	kinds, _, err := version.scheme.ObjectKinds(store.NewFunc())
	must(err)
	gvk, ok := store.StorageVersioner.KindForGroupVersionKinds(kinds)
	if !ok {
		fail("%v: has no stored version", kinds)
	}
	return gvk.GroupVersion()
}

// resetWord gives the fields that a write through this door does not change.
func resetWord(version served, strategy rest.ResetFieldsStrategy) string {
	if strategy == nil {
		return ""
	}
	set := strategy.GetResetFields()[fieldAPIVersion(version)]
	if set == nil {
		return ""
	}
	var paths []string
	for _, path := range collectPaths(set) {
		paths = append(paths, strings.TrimPrefix(path.String(), "."))
	}
	slices.Sort(paths)
	return listWord("resets", paths)
}

func subresourceLine(version served, resource apidiscoveryv2.APIResourceDiscovery, sub apidiscoveryv2.APISubresourceDiscovery) string {
	words := []string{" sub", sub.Subresource}
	if sub.ResponseKind == nil {
		fail("%s/%s: has no kind", resource.Resource, sub.Subresource)
	}
	gvk := schema.GroupVersionKind(*sub.ResponseKind)
	if gvk.Version == "" {
		gvk = version.gv.WithKind(gvk.Kind)
	}
	words = append(words, gvk.GroupVersion().String(), gvk.Kind, listWord("verbs", sub.Verbs))
	storage := version.storage[resource.Resource+"/"+sub.Subresource]
	if strategy, ok := storage.(rest.ResetFieldsStrategy); ok {
		words = append(words, resetWord(version, strategy))
	}
	if store := storeOf(storage); store != nil && slices.Contains(sub.Verbs, "update") && gvk == version.gv.WithKind(resource.ResponseKind.Kind) {
		ctx := occasion(version, resource.Resource, sub.Subresource, resource.Scope == apidiscoveryv2.ScopeNamespace)
		moves, ignores := probeUpdate(ctx, version, gvk, store.UpdateStrategy)
		words = append(words, listWord("updateIgnores", ignores), listWord("generation", moves))
	}
	if options := connectOptions(version, storage); options != "" {
		words = append(words, "options="+options)
	}
	return strings.Join(nonEmpty(words), " ")
}

// connectOptions names the kind of the query of a subresource that takes one.
func connectOptions(version served, storage rest.Storage) string {
	var object runtime.Object
	switch storage := storage.(type) {
	case rest.Connecter:
		object, _, _ = storage.NewConnectOptions()
	case rest.GetterWithOptions:
		object, _, _ = storage.NewGetOptions()
	}
	if object == nil || reflect.ValueOf(object).IsNil() {
		return ""
	}
	kinds, _, err := version.scheme.ObjectKinds(object)
	must(err)
	return kinds[0].Kind
}

// columnLines gives the columns of a resource's table; descriptions as the field they come from.
func columnLines(version served, resource apidiscoveryv2.APIResourceDiscovery, storage rest.Storage) []string {
	converter, ok := storage.(rest.TableConvertor)
	if !ok {
		return nil
	}
	lister, ok := storage.(rest.Lister)
	if !ok {
		return nil
	}
	table, err := converter.ConvertToTable(occasion(version, resource.Resource, "", false), lister.NewList(), &metav1.TableOptions{})
	must(err)
	var lines []string
	for _, column := range table.ColumnDefinitions {
		format := column.Format
		if format == "" {
			format = "-"
		}
		lines = append(lines, fmt.Sprintf(" column %s %s %d %s %s", column.Type, format, column.Priority, docSource(version, resource, column.Description), column.Name))
	}
	return lines
}

func collectPaths(set *fieldpath.Set) []fieldpath.Path {
	var paths []fieldpath.Path
	set.Iterate(func(path fieldpath.Path) { paths = append(paths, path.Copy()) })
	return paths
}

// deprecatedLines gives the warning that upstream sends along with every answer about a kind.
func deprecatedLines(version served, resource apidiscoveryv2.APIResourceDiscovery) []string {
	object, err := version.scheme.New(version.gv.WithKind(resource.ResponseKind.Kind))
	must(err)
	object.GetObjectKind().SetGroupVersionKind(version.gv.WithKind(resource.ResponseKind.Kind))
	if !deprecation.IsDeprecated(object, 1, 37) {
		return nil
	}
	return []string{" deprecated " + deprecation.WarningMessage(object)}
}

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sort"
	"strings"

	admissionv1 "k8s.io/api/admission/v1"
	admissionv1beta1 "k8s.io/api/admission/v1beta1"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	apidiscoveryv2beta1 "k8s.io/api/apidiscovery/v2beta1"
	imagepolicyv1alpha1 "k8s.io/api/imagepolicy/v1alpha1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"k8s.io/kube-openapi/pkg/common"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kubernetes/pkg/generated/openapi"
)

// scalars are the types that marshal themselves; the Rust codec knows each by its name here.
var scalars = map[reflect.Type]string{
	reflect.TypeOf(intstr.IntOrString{}):                           "IntOrString",
	reflect.TypeOf(resource.Quantity{}):                            "Quantity",
	reflect.TypeOf(metav1.Time{}):                                  "Time",
	reflect.TypeOf(metav1.MicroTime{}):                             "MicroTime",
	reflect.TypeOf(metav1.Duration{}):                              "Duration",
	reflect.TypeOf(runtime.RawExtension{}):                         "RawExtension",
	reflect.TypeOf(metav1.FieldsV1{}):                              "FieldsV1",
	reflect.TypeOf(apiextensionsv1.JSON{}):                         "JSON",
	reflect.TypeOf(apiextensionsv1.JSONSchemaPropsOrArray{}):       "JSONSchemaPropsOrArray",
	reflect.TypeOf(apiextensionsv1.JSONSchemaPropsOrBool{}):        "JSONSchemaPropsOrBool",
	reflect.TypeOf(apiextensionsv1.JSONSchemaPropsOrStringArray{}): "JSONSchemaPropsOrStringArray",
}

// groups are the group-versions served by default and the packages that hold their types.
var groups = []schema.GroupVersion{
	{Version: "v1"},
	{Group: "admissionregistration.k8s.io", Version: "v1"},
	{Group: "apiextensions.k8s.io", Version: "v1"},
	{Group: "apiregistration.k8s.io", Version: "v1"},
	{Group: "apps", Version: "v1"},
	{Group: "authentication.k8s.io", Version: "v1"},
	{Group: "authorization.k8s.io", Version: "v1"},
	{Group: "autoscaling", Version: "v1"},
	{Group: "autoscaling", Version: "v2"},
	{Group: "batch", Version: "v1"},
	{Group: "certificates.k8s.io", Version: "v1"},
	{Group: "coordination.k8s.io", Version: "v1"},
	{Group: "discovery.k8s.io", Version: "v1"},
	{Group: "events.k8s.io", Version: "v1"},
	{Group: "flowcontrol.apiserver.k8s.io", Version: "v1"},
	{Group: "networking.k8s.io", Version: "v1"},
	{Group: "node.k8s.io", Version: "v1"},
	{Group: "policy", Version: "v1"},
	{Group: "rbac.authorization.k8s.io", Version: "v1"},
	{Group: "resource.k8s.io", Version: "v1"},
	{Group: "scheduling.k8s.io", Version: "v1"},
	{Group: "storage.k8s.io", Version: "v1"},
	{Group: "storagemigration.k8s.io", Version: "v1"},
}

// wordGroups hold kinds that travel in requests and answers but are no resources.
var wordGroups = []schema.GroupVersion{
	{Group: "admission.k8s.io", Version: "v1"},
	{Group: "apidiscovery.k8s.io", Version: "v2"},
	{Group: "meta.k8s.io", Version: "v1"},
}

type pkg struct {
	short   string
	openapi string
	types   map[string][]string
}

type types struct {
	scheme *runtime.Scheme
	pkgs   map[string]*pkg
	seen   map[reflect.Type]bool
	defs   map[string]common.OpenAPIDefinition
	queue  []reflect.Type
	kinds  []string
}

// collectTypes describes what is served, and the words of requests and answers.
func collectTypes() *types {
	scheme := runtime.NewScheme()
	utilruntime.Must(clientscheme.AddToScheme(scheme))
	utilruntime.Must(apiextensionsv1.AddToScheme(scheme))
	utilruntime.Must(apiregistrationv1.AddToScheme(scheme))
	utilruntime.Must(admissionv1.AddToScheme(scheme))
	utilruntime.Must(admissionv1beta1.AddToScheme(scheme))
	utilruntime.Must(apidiscoveryv2.AddToScheme(scheme))
	utilruntime.Must(apidiscoveryv2beta1.AddToScheme(scheme))
	utilruntime.Must(imagepolicyv1alpha1.AddToScheme(scheme))
	utilruntime.Must(metav1.AddMetaToScheme(scheme))
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Group: "meta.k8s.io", Version: "v1"})

	all := &types{scheme: scheme, pkgs: map[string]*pkg{}, seen: map[reflect.Type]bool{}}
	all.defs = openapi.GetOpenAPIDefinitions(func(name string) spec.Ref {
		return spec.MustCreateRef("#/definitions/" + name)
	})
	all.add(append(slices.Clone(groups), wordGroups...))
	return all
}

// unserved forgets what was described so far, and describes the kinds that upstream knows but does
// not serve by default: older, newer or gone. Types that were described already are not repeated.
func (all *types) unserved() {
	known := map[schema.GroupVersion]bool{}
	for _, gv := range append(slices.Clone(groups), wordGroups...) {
		known[gv] = true
	}
	var more []schema.GroupVersion
	for _, gv := range all.scheme.PrioritizedVersionsAllGroups() {
		if !known[gv] && gv.Version != runtime.APIVersionInternal {
			more = append(more, gv)
		}
	}
	slices.SortFunc(more, func(a, b schema.GroupVersion) int { return strings.Compare(a.String(), b.String()) })
	all.kinds = nil
	for _, p := range all.pkgs {
		p.types = map[string][]string{}
	}
	all.add(more)
}

func (all *types) add(groups []schema.GroupVersion) {
	for _, gv := range groups {
		known := all.scheme.KnownTypes(gv)
		for _, kind := range slices.Sorted(maps.Keys(known)) {
			typ := known[kind]
			meta := typ.PkgPath() == "k8s.io/apimachinery/pkg/apis/meta/v1"
			// AddToGroupVersion registers the option kinds in each group: once is enough.
			if typ.PkgPath() == "k8s.io/apimachinery/pkg/apis/meta/internalversion" {
				continue
			}
			if meta && gv.Group != "meta.k8s.io" && !(gv.Group == "" && isUnversioned(all.scheme, gv.WithKind(kind), typ)) {
				continue
			}
			if kind == "InternalEvent" {
				continue
			}
			all.kinds = append(all.kinds, fmt.Sprintf("kind %s %s %s", gv, kind, all.ref(typ, "")))
		}
	}
	for len(all.queue) > 0 {
		next := all.queue[0]
		all.queue = all.queue[1:]
		all.describe(next)
	}
}

func isUnversioned(scheme *runtime.Scheme, gvk schema.GroupVersionKind, typ reflect.Type) bool {
	object, err := scheme.New(gvk)
	must(err)
	unversioned, _ := scheme.IsUnversioned(object)
	return unversioned
}

// ref names a struct type as seen from package `from`, and sees to it that it gets described.
func (all *types) ref(typ reflect.Type, from string) string {
	if !all.seen[typ] {
		all.seen[typ] = true
		all.queue = append(all.queue, typ)
	}
	p := all.pkg(typ)
	if p.short == from {
		return typ.Name()
	}
	return p.short + "." + typ.Name()
}

func (all *types) pkg(typ reflect.Type) *pkg {
	path := typ.PkgPath()
	if found := all.pkgs[path]; found != nil {
		return found
	}
	parts := strings.Split(path, "/")
	made := &pkg{short: strings.Join(parts[len(parts)-2:], "/"), types: map[string][]string{}}
	made.openapi = strings.TrimSuffix(modelName(typ), "."+typ.Name())
	all.pkgs[path] = made
	return made
}

func modelName(typ reflect.Type) string {
	named, ok := reflect.Zero(typ).Interface().(interface{ OpenAPIModelName() string })
	if !ok {
		fail("%s has no OpenAPI name", typ)
	}
	return named.OpenAPIModelName()
}

// class names the value type of a field.
func (all *types) class(typ reflect.Type, from string) string {
	if name, ok := scalars[typ]; ok {
		return name
	}
	selfMarshalled(typ)
	switch typ.Kind() {
	case reflect.Pointer:
		return "*" + all.class(typ.Elem(), from)
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		if typ.Name() != "" && hasMethod(typ, "MarshalToSizedBuffer") {
			if typ.Elem().Kind() != reflect.String {
				fail("%s: a message of items that are no strings", typ)
			}
			return "Items"
		}
		return "[]" + all.class(typ.Elem(), from)
	case reflect.Map:
		if typ.Key().Kind() != reflect.String {
			fail("%s: map key is no string", typ)
		}
		return "map:" + all.class(typ.Elem(), from)
	case reflect.Struct:
		return all.ref(typ, from)
	case reflect.Interface:
		return "any"
	case reflect.String, reflect.Bool, reflect.Int32, reflect.Int64, reflect.Float64:
		return typ.Kind().String()
	}
	fail("%s: kind %s has no class", typ, typ.Kind())
	return ""
}

func hasMethod(typ reflect.Type, name string) bool {
	_, ok := reflect.PointerTo(typ).MethodByName(name)
	return ok
}

// selfMarshalled stops the run when a type has a JSON form of its own that nobody described.
func selfMarshalled(typ reflect.Type) {
	if typ.Name() != "" && hasMethod(typ, "MarshalJSON") && typ.Kind() != reflect.Interface {
		fail("%s marshals itself and is not in the list of scalars", typ)
	}
}

func (all *types) describe(typ reflect.Type) {
	p := all.pkg(typ)
	name := modelName(typ)
	if name != p.openapi+"."+typ.Name() {
		fail("%s is called %s in OpenAPI", typ, name)
	}
	def, published := all.defs[name]
	head := "type " + typ.Name()
	if !published {
		head += " unpublished"
	}
	head += extras(def.Schema.Extensions, typ.String())
	if len(def.Schema.Enum)+len(def.Schema.OneOf)+len(def.Schema.AllOf)+len(def.Schema.AnyOf) > 0 {
		fail("%s: has schema words at its head", name)
	}
	lines := []string{head}
	flat := map[string]bool{}
	for i := range typ.NumField() {
		if jsonName(typ.Field(i)) == "-" {
			continue
		}
		lines = append(lines, all.field(typ, typ.Field(i), p, def.Schema, published))
		flatten(typ.Field(i), flat)
	}
	if published {
		for property := range def.Schema.Properties {
			if !flat[property] {
				fail("%s: OpenAPI property %s is no field", name, property)
			}
		}
	}
	p.types[typ.Name()] = lines
}

func flatten(field reflect.StructField, into map[string]bool) {
	name := jsonName(field)
	if name == "" {
		for i := range field.Type.NumField() {
			flatten(field.Type.Field(i), into)
		}
		return
	}
	into[name] = true
}

func jsonName(field reflect.StructField) string {
	tag, ok := field.Tag.Lookup("json")
	name := strings.Split(tag, ",")[0]
	if name == "" && !field.Anonymous {
		if ok {
			fail("%s has no name", field.Name)
		}
		return field.Name
	}
	return name
}

func (all *types) field(owner reflect.Type, field reflect.StructField, p *pkg, def spec.Schema, published bool) string {
	name := jsonName(field)
	class := all.class(field.Type, p.short)
	words := []string{"", name, class, protobuf(field)}
	if name == "" {
		words[1] = "inline"
		return strings.Join(words, " ")
	}
	options := strings.Split(field.Tag.Get("json"), ",")[1:]
	words = append(words, nonEmpty(options)...)
	line := strings.Join(words, " ")
	patch := ""
	if strategy := field.Tag.Get("patchStrategy"); strategy != "" {
		patch += " patchStrategy=" + strategy
	}
	if key := field.Tag.Get("patchMergeKey"); key != "" {
		patch += " patchMergeKey=" + key
	}
	if !published {
		return line + patch
	}
	property, ok := def.Properties[name]
	if !ok {
		fail("%s.%s is not in OpenAPI", owner, name)
	}
	if slices.Contains(def.Required, name) {
		line += " required"
	}
	line += patch
	line += extras(withoutPatch(property.Extensions, patch, owner, name), owner.String()+"."+name)
	line += values(property, field, slices.Contains(options, "omitempty"), owner.String()+"."+name)
	return line
}

func nonEmpty(words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(word string) bool { return word == "" })
}

// protobuf gives the field number, `-` where the field does not travel in protobuf.
//
// The rest of the tag is not read: the generated codec goes by the Go type, and some tags are wrong.
func protobuf(field reflect.StructField) string {
	tag, ok := field.Tag.Lookup("protobuf")
	if !ok || tag == "-" {
		return "-"
	}
	parts := strings.Split(tag, ",")
	return parts[1]
}

// withoutPatch checks that OpenAPI says what the tags said, and leaves the rest.
func withoutPatch(extensions spec.Extensions, patch string, owner reflect.Type, name string) spec.Extensions {
	rest := maps.Clone(extensions)
	said := ""
	if strategy, ok := rest["x-kubernetes-patch-strategy"]; ok {
		said += " patchStrategy=" + fmt.Sprint(strategy)
	}
	if key, ok := rest["x-kubernetes-patch-merge-key"]; ok {
		said += " patchMergeKey=" + fmt.Sprint(key)
	}
	delete(rest, "x-kubernetes-patch-strategy")
	delete(rest, "x-kubernetes-patch-merge-key")
	if said != patch {
		if patch != "" && said != "" {
			fail("%s.%s: tags say%s, OpenAPI says%s", owner, name, patch, said)
		}
		if said != "" {
			rest["published-patch"] = strings.ReplaceAll(strings.TrimSpace(said), " ", ";")
		} else {
			rest["unpublished-patch"] = true
		}
	}
	return rest
}

func extras(extensions spec.Extensions, where string) string {
	short := map[string]string{
		"x-kubernetes-list-type":               "listType",
		"x-kubernetes-list-map-keys":           "listMapKeys",
		"x-kubernetes-map-type":                "mapType",
		"x-kubernetes-embedded-resource":       "embeddedResource",
		"x-kubernetes-int-or-string":           "intOrString",
		"x-kubernetes-preserve-unknown-fields": "preserveUnknownFields",
		"x-kubernetes-unions":                  "unions",
		"x-kubernetes-validations":             "validations",
		"published-patch":                      "publishedPatch",
		"unpublished-patch":                    "unpublishedPatch",
	}
	line := ""
	for _, key := range slices.Sorted(maps.Keys(extensions)) {
		name, ok := short[key]
		if !ok {
			fail("%s: unknown extension %s", where, key)
		}
		switch value := extensions[key].(type) {
		case bool:
			if value {
				line += " " + name
			}
		case string:
			line += " " + name + "=" + value
		case []interface{}:
			words := make([]string, len(value))
			plain := true
			for i, item := range value {
				word, ok := item.(string)
				plain = plain && ok
				words[i] = word
			}
			if plain {
				line += " " + name + "=" + strings.Join(words, ",")
			} else {
				line += " " + name + "=" + compactJSON(value)
			}
		default:
			fail("%s: extension %s is a %T", where, key, value)
		}
	}
	return line
}

// compactJSON is JSON without a space in it, so that a line still splits at spaces.
func compactJSON(value any) string {
	var buffer strings.Builder
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	must(encoder.Encode(value))
	return strings.ReplaceAll(strings.TrimSpace(buffer.String()), " ", "\\u0020")
}

// values gives enum, default and format, where they do not follow from the class.
func values(property spec.Schema, field reflect.StructField, omitempty bool, where string) string {
	line := ""
	leaf := property
	typ := field.Type
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if got, want := property.Default, impliedDefault(field.Type, omitempty); !reflect.DeepEqual(got, want) {
		switch {
		case got == nil:
			line += " noDefault"
		default:
			line += " default=" + compactJSON(got)
		}
	}
	for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
		if typ.Elem().Kind() == reflect.Uint8 || scalars[typ] != "" {
			break
		}
		if property.Items != nil {
			leaf = *property.Items.Schema
		} else if property.AdditionalProperties != nil {
			leaf = *property.AdditionalProperties.Schema
		} else {
			fail("%s: no items", where)
		}
		property = leaf
		typ = typ.Elem()
	}
	if len(leaf.Enum) > 0 {
		words := make([]string, len(leaf.Enum))
		for i, value := range leaf.Enum {
			words[i] = value.(string)
			if strings.ContainsAny(words[i], " ,") || words[i] == "" {
				words[i] = compactJSON(words[i])
			}
		}
		sort.Strings(words)
		line += " enum=" + strings.Join(words, ",")
	}
	if format := leaf.Format; format != impliedFormat(typ) && leaf.Ref.String() == "" && scalars[typ] == "" {
		line += " format=" + format
	}
	return line
}

func impliedFormat(typ reflect.Type) string {
	switch typ.Kind() {
	case reflect.Int32:
		return "int32"
	case reflect.Int64:
		return "int64"
	case reflect.Float64:
		return "double"
	case reflect.Slice:
		return "byte"
	}
	return ""
}

// impliedDefault follows the OpenAPI generator: structs by value default to {}, and plain values
// without omitempty to their zero.
func impliedDefault(typ reflect.Type, omitempty bool) any {
	if typ.Kind() == reflect.Struct {
		switch scalars[typ] {
		case "":
			return map[string]interface{}{}
		}
		return nil
	}
	if omitempty {
		return nil
	}
	switch typ.Kind() {
	case reflect.String:
		return ""
	case reflect.Bool:
		return false
	case reflect.Int32, reflect.Int64, reflect.Float64:
		return 0
	}
	return nil
}

func (all *types) sorted() []*pkg {
	return slices.SortedFunc(maps.Values(all.pkgs), func(a, b *pkg) int { return strings.Compare(a.openapi, b.openapi) })
}

func (p *pkg) sorted() [][]string {
	var sorted [][]string
	for _, name := range slices.Sorted(maps.Keys(p.types)) {
		sorted = append(sorted, p.types[name])
	}
	return sorted
}

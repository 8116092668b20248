package main

import (
	"reflect"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// docSource names the field (`SHORT.TYPE.FIELD`) whose text this is, or `-`: the texts themselves
// stay where they are.
func docSource(version served, resource apidiscoveryv2.APIResourceDiscovery, text string) string {
	if text == "" {
		return "-"
	}
	kind, known := version.scheme.AllKnownTypes()[version.gv.WithKind(resource.ResponseKind.Kind)]
	candidates := []reflect.Type{reflect.TypeOf(metav1.ObjectMeta{})}
	if known {
		candidates = append(candidates, parts(kind, map[reflect.Type]bool{})...)
	}
	for _, candidate := range candidates {
		documented, ok := reflect.Zero(candidate).Interface().(interface{ SwaggerDoc() map[string]string })
		if !ok {
			continue
		}
		docs := documented.SwaggerDoc()
		for _, field := range sortedKeys(docs) {
			if docs[field] == text && field != "" {
				path := strings.Split(candidate.PkgPath(), "/")
				return strings.Join(path[len(path)-2:], "/") + "." + candidate.Name() + "." + field
			}
		}
	}
	return "-"
}

func parts(typ reflect.Type, seen map[reflect.Type]bool) []reflect.Type {
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || seen[typ] {
		return nil
	}
	seen[typ] = true
	found := []reflect.Type{typ}
	for i := range typ.NumField() {
		if typ.Field(i).IsExported() {
			found = append(found, parts(typ.Field(i).Type, seen)...)
		}
	}
	return found
}

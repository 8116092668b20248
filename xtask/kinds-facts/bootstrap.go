package main

import (
	"encoding/json"
	"slices"
	"strings"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	flowcontrol "k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	schedulingv1 "k8s.io/kubernetes/pkg/apis/scheduling/v1"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
)

// bootstrapRBAC gives the roles and bindings that every cluster begins with.
func bootstrapRBAC() []string {
	var objects []runtime.Object
	for _, role := range append(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()...) {
		objects = append(objects, &role)
	}
	for _, binding := range append(bootstrappolicy.ClusterRoleBindings(), bootstrappolicy.ControllerRoleBindings()...) {
		objects = append(objects, &binding)
	}
	for namespace, roles := range bootstrappolicy.NamespaceRoles() {
		for _, role := range roles {
			role.Namespace = namespace
			objects = append(objects, &role)
		}
	}
	for namespace, bindings := range bootstrappolicy.NamespaceRoleBindings() {
		for _, binding := range bindings {
			binding.Namespace = namespace
			objects = append(objects, &binding)
		}
	}
	return jsonLines(rbacv1.SchemeGroupVersion, objects)
}

// bootstrapFlowControl gives the flow schemas and priority levels; upstream always restores the
// mandatory ones to this form, and the others unless they were annotated otherwise.
func bootstrapFlowControl() []string {
	var objects []runtime.Object
	for _, level := range append(slices.Clone(flowcontrol.MandatoryPriorityLevelConfigurations), flowcontrol.SuggestedPriorityLevelConfigurations...) {
		objects = append(objects, level.DeepCopy())
	}
	for _, flow := range append(slices.Clone(flowcontrol.MandatoryFlowSchemas), flowcontrol.SuggestedFlowSchemas...) {
		objects = append(objects, flow.DeepCopy())
	}
	return jsonLines(flowcontrolv1.SchemeGroupVersion, objects)
}

// bootstrapPriorityClasses gives the classes of the system's own pods.
func bootstrapPriorityClasses() []string {
	var objects []runtime.Object
	for _, class := range schedulingv1.SystemPriorityClasses() {
		objects = append(objects, class.DeepCopy())
	}
	return jsonLines(schema.GroupVersion{Group: "scheduling.k8s.io", Version: "v1"}, objects)
}

// jsonLines writes a JSON array with one object a line, sorted.
func jsonLines(gv schema.GroupVersion, objects []runtime.Object) []string {
	var lines []string
	for _, object := range objects {
		kinds, _, err := clientscheme.Scheme.ObjectKinds(object)
		must(err)
		object.GetObjectKind().SetGroupVersionKind(gv.WithKind(kinds[0].Kind))
		text, err := json.Marshal(object)
		must(err)
		var tree map[string]any
		must(json.Unmarshal(text, &tree))
		if status, ok := tree["status"].(map[string]any); ok && isEmpty(status) {
			delete(tree, "status")
		}
		lines = append(lines, compact(tree))
	}
	slices.SortFunc(lines, strings.Compare)
	for i := range lines[:len(lines)-1] {
		lines[i] += ","
	}
	return append(append([]string{"["}, lines...), "]")
}

func compact(tree any) string {
	var buffer strings.Builder
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	must(encoder.Encode(tree))
	return strings.TrimSpace(buffer.String())
}

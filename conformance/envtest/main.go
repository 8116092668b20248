// Runs controller-runtime's envtest, unmodified, on the programs that KUBEBUILDER_ASSETS names, and
// prints how long Environment.Start and Environment.Stop took.
//
// Between the two it does what suites do: it installs a definition, adds a user, is refused, is
// allowed, creates objects and leaves a watch open.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

var widget = schema.GroupVersionKind{Group: "pintle.example.com", Version: "v1", Kind: "Widget"}

func main() {
	rounds := flag.Int("rounds", 3, "how often to start and stop")
	startMax := flag.Duration("start-max", 0, "fail if the fastest start takes longer (0: no limit)")
	stopMax := flag.Duration("stop-max", 0, "fail if the fastest stop takes longer (0: no limit)")
	flag.Parse()
	var starts, stops []time.Duration
	for round := 1; round <= *rounds; round++ {
		start, stop, err := run()
		if err != nil {
			fmt.Fprintf(os.Stderr, "round %d: %v\n", round, err)
			os.Exit(1)
		}
		fmt.Printf("round %d: start %d ms, stop %d ms\n", round, start.Milliseconds(), stop.Milliseconds())
		starts, stops = append(starts, start), append(stops, stop)
	}
	for _, check := range []struct {
		name  string
		seen  []time.Duration
		limit time.Duration
	}{{"start", starts, *startMax}, {"stop", stops, *stopMax}} {
		fastest := check.seen[0]
		for _, one := range check.seen {
			fastest = min(fastest, one)
		}
		if check.limit > 0 && fastest > check.limit {
			fmt.Fprintf(os.Stderr, "the fastest %s took %v, more than %v\n", check.name, fastest, check.limit)
			os.Exit(1)
		}
	}
}

// run starts an environment, uses it and stops it while a watch is open.
func run() (start, stop time.Duration, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	environment := &envtest.Environment{CRDs: []*apiextensionsv1.CustomResourceDefinition{definition()}}
	began := time.Now()
	config, err := environment.Start()
	start = time.Since(began)
	if err != nil {
		return start, 0, fmt.Errorf("start: %w", err)
	}
	stopped := false
	defer func() {
		if !stopped {
			_ = environment.Stop()
		}
	}()
	admin, err := client.NewWithWatch(config, client.Options{})
	if err != nil {
		return start, 0, fmt.Errorf("client: %w", err)
	}
	if err := use(ctx, environment, admin); err != nil {
		return start, 0, err
	}
	watch, err := admin.Watch(ctx, &corev1.ConfigMapList{}, client.InNamespace("default"))
	if err != nil {
		return start, 0, fmt.Errorf("watch: %w", err)
	}
	defer watch.Stop()
	if event := <-watch.ResultChan(); event.Object == nil {
		return start, 0, fmt.Errorf("watch: it ended before its first event")
	}
	began = time.Now()
	stopped = true
	if err := environment.Stop(); err != nil {
		return start, 0, fmt.Errorf("stop: %w", err)
	}
	return start, time.Since(began), nil
}

// use does what a suite does with an environment.
func use(ctx context.Context, environment *envtest.Environment, admin client.Client) error {
	user, err := environment.AddUser(envtest.User{Name: "alice"}, nil)
	if err != nil {
		return fmt.Errorf("add a user: %w", err)
	}
	alice, err := client.New(user.Config(), client.Options{})
	if err != nil {
		return fmt.Errorf("client of a user: %w", err)
	}
	one := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "one"}}
	if err := alice.Create(ctx, one.DeepCopy()); !apierrors.IsForbidden(err) {
		return fmt.Errorf("a user without roles may create: %v", err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "alice"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "alice"}},
	}
	if err := admin.Create(ctx, binding); err != nil {
		return fmt.Errorf("bind a role: %w", err)
	}
	if err := alice.Create(ctx, one); err != nil {
		return fmt.Errorf("create a config map: %w", err)
	}
	custom := &unstructured.Unstructured{}
	custom.SetGroupVersionKind(widget)
	custom.SetNamespace("default")
	custom.SetName("one")
	if err := alice.Create(ctx, custom); err != nil {
		return fmt.Errorf("create a custom resource: %w", err)
	}
	// envtest leaves the ServiceAccount plug-in out, so a pod needs no service account.
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "one"},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "none"}}},
	}
	if err := alice.Create(ctx, pod); err != nil {
		return fmt.Errorf("create a pod: %w", err)
	}
	return nil
}

func definition() *apiextensionsv1.CustomResourceDefinition {
	preserve := true
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "widgets." + widget.Group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: widget.Group,
			Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "widgets", Kind: widget.Kind},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name:    widget.Version,
				Served:  true,
				Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{
					OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
						Type:                   "object",
						XPreserveUnknownFields: &preserve,
					},
				},
			}},
		},
	}
}

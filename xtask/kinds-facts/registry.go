package main

import (
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/emicklei/go-restful/v3"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	"k8s.io/apiextensions-apiserver/pkg/apiserver"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/endpoints"
	"k8s.io/apiserver/pkg/registry/generic"
	genericregistry "k8s.io/apiserver/pkg/registry/generic/registry"
	"k8s.io/apiserver/pkg/registry/rest"
	genericserver "k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/options"
	serverstorage "k8s.io/apiserver/pkg/server/storage"
	"k8s.io/apiserver/pkg/storage"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/apiserver/pkg/storage/storagebackend/factory"
	"k8s.io/client-go/kubernetes"
	restclient "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	apiservicerest "k8s.io/kube-aggregator/pkg/registry/apiservice/rest"
	api "k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/controlplane"
	"k8s.io/kubernetes/pkg/kubeapiserver"
	kubeletclient "k8s.io/kubernetes/pkg/kubelet/client"
	admissionregistrationrest "k8s.io/kubernetes/pkg/registry/admissionregistration/rest"
	appsrest "k8s.io/kubernetes/pkg/registry/apps/rest"
	authenticationrest "k8s.io/kubernetes/pkg/registry/authentication/rest"
	authorizationrest "k8s.io/kubernetes/pkg/registry/authorization/rest"
	autoscalingrest "k8s.io/kubernetes/pkg/registry/autoscaling/rest"
	batchrest "k8s.io/kubernetes/pkg/registry/batch/rest"
	certificatesrest "k8s.io/kubernetes/pkg/registry/certificates/rest"
	coordinationrest "k8s.io/kubernetes/pkg/registry/coordination/rest"
	"k8s.io/kubernetes/pkg/registry/core/componentstatus"
	endpointsstore "k8s.io/kubernetes/pkg/registry/core/endpoint/storage"
	limitrangestore "k8s.io/kubernetes/pkg/registry/core/limitrange/storage"
	nodestore "k8s.io/kubernetes/pkg/registry/core/node/storage"
	pvstore "k8s.io/kubernetes/pkg/registry/core/persistentvolume/storage"
	pvcstore "k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim/storage"
	podstore "k8s.io/kubernetes/pkg/registry/core/pod/storage"
	podtemplatestore "k8s.io/kubernetes/pkg/registry/core/podtemplate/storage"
	controllerstore "k8s.io/kubernetes/pkg/registry/core/replicationcontroller/storage"
	corerest "k8s.io/kubernetes/pkg/registry/core/rest"
	servicestore "k8s.io/kubernetes/pkg/registry/core/service/storage"
	discoveryrest "k8s.io/kubernetes/pkg/registry/discovery/rest"
	eventsrest "k8s.io/kubernetes/pkg/registry/events/rest"
	flowcontrolrest "k8s.io/kubernetes/pkg/registry/flowcontrol/rest"
	networkingrest "k8s.io/kubernetes/pkg/registry/networking/rest"
	noderest "k8s.io/kubernetes/pkg/registry/node/rest"
	policyrest "k8s.io/kubernetes/pkg/registry/policy/rest"
	rbacrest "k8s.io/kubernetes/pkg/registry/rbac/rest"
	resourcerest "k8s.io/kubernetes/pkg/registry/resource/rest"
	schedulingrest "k8s.io/kubernetes/pkg/registry/scheduling/rest"
	storagerest "k8s.io/kubernetes/pkg/registry/storage/rest"
	svmrest "k8s.io/kubernetes/pkg/registry/storagemigration/rest"
	"k8s.io/kubernetes/pkg/serviceaccount"
)

// eventTTL is the default of upstream's --event-ttl.
const eventTTL = time.Hour

// served is one group-version as upstream's registry serves it.
type served struct {
	gv        schema.GroupVersion
	scheme    *runtime.Scheme
	storage   map[string]rest.Storage
	resources []apidiscoveryv2.APIResourceDiscovery
}

// collectRegistry builds upstream's registry on a storage that is never used, and asks upstream's
// own installer for the discovery of it.
func collectRegistry() []served {
	restOptions := restOptions()
	enabled := controlplane.DefaultAPIResourceConfigSource()
	infos := []genericserver.APIGroupInfo{coreGroup(enabled, restOptions)}
	allow := authorizerfactory.NewAlwaysAllowAuthorizer()
	client := kubernetes.NewForConfigOrDie(&restclient.Config{Host: "http://127.0.0.1:1"})
	type provider interface {
		NewRESTStorage(serverstorage.APIResourceConfigSource, generic.RESTOptionsGetter) (genericserver.APIGroupInfo, error)
	}
	for _, provider := range []provider{
		authenticationrest.RESTStorageProvider{},
		authorizationrest.RESTStorageProvider{Authorizer: allow},
		autoscalingrest.RESTStorageProvider{},
		batchrest.RESTStorageProvider{},
		certificatesrest.RESTStorageProvider{Authorizer: allow},
		coordinationrest.RESTStorageProvider{},
		discoveryrest.StorageProvider{},
		networkingrest.RESTStorageProvider{},
		noderest.RESTStorageProvider{},
		policyrest.RESTStorageProvider{},
		rbacrest.RESTStorageProvider{Authorizer: allow},
		schedulingrest.RESTStorageProvider{},
		storagerest.RESTStorageProvider{},
		svmrest.RESTStorageProvider{},
		flowcontrolrest.RESTStorageProvider{},
		appsrest.StorageProvider{},
		admissionregistrationrest.RESTStorageProvider{Authorizer: allow, DiscoveryClient: client.Discovery()},
		eventsrest.RESTStorageProvider{TTL: eventTTL},
		resourcerest.RESTStorageProvider{NamespaceClient: client.CoreV1().Namespaces(), Authorizer: allow},
	} {
		info, err := provider.NewRESTStorage(enabled, restOptions)
		must(err)
		infos = append(infos, info)
	}
	infos = append(infos, apiservicerest.NewRESTStorage(aggregatorResources(), restOptions, false), extensionsGroup(restOptions))

	var all []served
	for _, info := range infos {
		for _, gv := range info.PrioritizedVersions {
			storage := info.VersionedResourcesStorageMap[gv.Version]
			if len(storage) == 0 {
				continue
			}
			all = append(all, served{gv: gv, scheme: info.Scheme, storage: storage, resources: install(info, gv, storage)})
		}
	}
	return all
}

func aggregatorResources() *serverstorage.ResourceConfig {
	config := serverstorage.NewResourceConfig()
	config.EnableVersions(apiregistrationv1.SchemeGroupVersion)
	return config
}

func install(info genericserver.APIGroupInfo, gv schema.GroupVersion, storage map[string]rest.Storage) []apidiscoveryv2.APIResourceDiscovery {
	group := &endpoints.APIGroupVersion{
		Storage:                    storage,
		Root:                       "/apis",
		GroupVersion:               gv,
		MetaGroupVersion:           info.MetaGroupVersion,
		OptionsExternalVersion:     info.OptionsExternalVersion,
		Serializer:                 info.NegotiatedSerializer,
		ParameterCodec:             info.ParameterCodec,
		Typer:                      info.Scheme,
		Creater:                    info.Scheme,
		Convertor:                  info.Scheme,
		ConvertabilityChecker:      info.Scheme,
		Defaulter:                  info.Scheme,
		Namer:                      runtime.Namer(meta.NewAccessor()),
		UnsafeConvertor:            runtime.UnsafeObjectConvertor(info.Scheme),
		TypeConverter:              managedfields.NewDeducedTypeConverter(),
		EquivalentResourceRegistry: runtime.NewEquivalentResourceRegistry(),
		Authorizer:                 authorizerfactory.NewAlwaysAllowAuthorizer(),
	}
	if group.OptionsExternalVersion == nil {
		group.OptionsExternalVersion = &schema.GroupVersion{Version: "v1"}
	}
	resources, _, err := group.InstallREST(restful.NewContainer())
	must(err)
	return resources
}

// coreGroup repeats what upstream's core provider does, without its allocators, which need a
// live store.
func coreGroup(enabled *serverstorage.ResourceConfig, restOptions generic.RESTOptionsGetter) genericserver.APIGroupInfo {
	var issuer struct{ serviceaccount.TokenGenerator }
	config := &corerest.GenericConfig{EventTTL: eventTTL, ServiceAccountIssuer: issuer}
	info, err := config.NewRESTStorage(enabled, restOptions)
	must(err)
	core := info.VersionedResourcesStorageMap["v1"]

	core["podtemplates"], err = podtemplatestore.NewREST(restOptions)
	must(err)
	core["limitranges"], err = limitrangestore.NewREST(restOptions)
	must(err)
	core["endpoints"], err = endpointsstore.NewREST(restOptions)
	must(err)
	volumes, volumesStatus, err := pvstore.NewREST(restOptions)
	must(err)
	core["persistentvolumes"], core["persistentvolumes/status"] = volumes, volumesStatus
	claims, claimsStatus, err := pvcstore.NewREST(restOptions)
	must(err)
	core["persistentvolumeclaims"], core["persistentvolumeclaims/status"] = claims, claimsStatus
	nodes, err := nodestore.NewStorage(restOptions, kubeletclient.KubeletClientConfig{}, nil)
	must(err)
	core["nodes"], core["nodes/status"], core["nodes/proxy"] = nodes.Node, nodes.Status, nodes.Proxy
	pods, err := podstore.NewStorage(restOptions, nodes.KubeletConnectionInfo, nil, nil, authorizerfactory.NewAlwaysAllowAuthorizer())
	must(err)
	maps.Copy(core, map[string]rest.Storage{
		"bindings": pods.LegacyBinding, "pods": pods.Pod, "pods/attach": pods.Attach, "pods/binding": pods.Binding,
		"pods/ephemeralcontainers": pods.EphemeralContainers, "pods/eviction": pods.Eviction, "pods/exec": pods.Exec,
		"pods/log": pods.Log, "pods/portforward": pods.PortForward, "pods/proxy": pods.Proxy,
		"pods/resize": pods.Resize, "pods/status": pods.Status,
	})
	services, servicesStatus, servicesProxy, err := servicestore.NewREST(restOptions, api.IPv4Protocol, nil, nil, nil, pods.Pod, nil)
	must(err)
	core["services"], core["services/status"], core["services/proxy"] = services, servicesStatus, servicesProxy
	controllers, err := controllerstore.NewStorage(restOptions)
	must(err)
	core["replicationcontrollers"] = controllers.Controller
	core["replicationcontrollers/status"] = controllers.Status
	core["replicationcontrollers/scale"] = controllers.Scale
	core["componentstatuses"] = componentstatus.NewStorage(nil)
	return info
}

func extensionsGroup(restOptions generic.RESTOptionsGetter) genericserver.APIGroupInfo {
	info := genericserver.NewDefaultAPIGroupInfo("apiextensions.k8s.io", apiserver.Scheme, metav1.ParameterCodec, apiserver.Codecs)
	definitions, err := customresourcedefinition.NewREST(apiserver.Scheme, restOptions)
	must(err)
	info.VersionedResourcesStorageMap["v1"] = map[string]rest.Storage{
		"customresourcedefinitions":        definitions,
		"customresourcedefinitions/status": customresourcedefinition.NewStatusREST(apiserver.Scheme, definitions),
	}
	return info
}

// restOptionsGetter gives each resource the prefix and the stored version it has upstream, and a
// storage that nobody may call.
type restOptionsGetter struct {
	factory serverstorage.StorageFactory
}

func restOptions() generic.RESTOptionsGetter {
	etcd := options.NewEtcdOptions(storagebackend.NewDefaultConfig("/registry", nil))
	config := kubeapiserver.NewStorageFactoryConfig()
	config.APIResourceConfig = controlplane.DefaultAPIResourceConfigSource()
	storageFactory, err := config.Complete(etcd).New()
	must(err)
	return restOptionsGetter{factory: storageFactory}
}

func (getter restOptionsGetter) GetRESTOptions(resource schema.GroupResource, example runtime.Object) (generic.RESTOptions, error) {
	options := generic.RESTOptions{
		StorageConfig:           &storagebackend.ConfigForResource{GroupResource: resource},
		Decorator:               noStorage,
		EnableGarbageCollection: true,
		ResourcePrefix:          getter.factory.ResourcePrefix(resource),
	}
	switch resource.Group {
	case "apiextensions.k8s.io", "apiregistration.k8s.io":
		// These two servers of the chain name their keys after the whole resource.
		options.ResourcePrefix = resource.Group + "/" + resource.Resource
		options.StorageConfig.EncodeVersioner = schema.GroupVersion{Group: resource.Group, Version: storedBeside[resource.Group]}
		return options, nil
	}
	config, err := getter.factory.NewConfig(resource, example)
	if err != nil {
		return options, err
	}
	options.StorageConfig = config
	return options, nil
}

// storedBeside are the stored versions in the two servers beside the main one. Upstream keeps
// definitions in v1beta1 because that form is shorter.
var storedBeside = map[string]string{"apiextensions.k8s.io": "v1beta1", "apiregistration.k8s.io": "v1"}

func noStorage(
	*storagebackend.ConfigForResource, string, func(runtime.Object) (string, error), func() runtime.Object,
	func() runtime.Object, storage.AttrFunc, storage.IndexerFuncs, *cache.Indexers,
) (storage.Interface, factory.DestroyFunc, error) {
	return nil, func() {}, nil
}

// storeOf finds the generic store inside a resource's or subresource's storage.
func storeOf(storage rest.Storage) *genericregistry.Store {
	return findStore(reflect.ValueOf(storage), 0)
}

// depthMax bounds the search: the store lies right below, or in what a wrapper holds.
const depthMax = 3

func findStore(value reflect.Value, depth int) *genericregistry.Store {
	wanted := reflect.TypeOf((*genericregistry.Store)(nil))
	for value.Kind() == reflect.Pointer || value.Kind() == reflect.Interface {
		if value.Type() == wanted {
			return (*genericregistry.Store)(value.UnsafePointer())
		}
		value = value.Elem()
	}
	if value.Kind() != reflect.Struct || depth > depthMax {
		return nil
	}
	for i := range value.NumField() {
		field := value.Field(i)
		embedded := value.Type().Field(i).Anonymous
		if field.Type() == wanted || embedded {
			if store := findStore(field, depth+1); store != nil {
				return store
			}
		}
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

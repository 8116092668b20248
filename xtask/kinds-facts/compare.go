package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// compare holds the discovery and the APIServices of a live upstream server (default flags)
// against what the registry said.
func compare(server, token string) {
	ask := asker(server, token)
	here := map[string]bool{}
	there := map[string]bool{}
	for _, version := range collectRegistry() {
		for _, resource := range version.resources {
			note(here, version.gv.String(), resource)
		}
	}
	for _, line := range describeRegistry(collectRegistry()) {
		words := strings.Fields(line)
		if words[0] == "version" && words[1] != "apiregistration.k8s.io/v1" {
			here[fmt.Sprint("priority ", words[1:])] = true
		}
	}
	for _, path := range []string{"/api", "/apis"} {
		var list apidiscoveryv2.APIGroupDiscoveryList
		ask(path, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList", &list)
		for _, group := range list.Items {
			for _, version := range group.Versions {
				gv := strings.TrimPrefix(group.Name+"/"+version.Version, "/")
				for _, resource := range version.Resources {
					note(there, gv, resource)
				}
				var legacy metav1.APIResourceList
				ask(path+strings.TrimSuffix("/"+gv, "/"), "application/json", &legacy)
				for _, resource := range legacy.APIResources {
					if resource.StorageVersionHash != "" {
						there[fmt.Sprint("hash ", gv, " ", resource.Name, " ", resource.StorageVersionHash)] = true
					}
				}
			}
		}
	}
	version := ""
	for _, line := range describeRegistry(collectRegistry()) {
		words := strings.Fields(line)
		switch words[0] {
		case "version":
			version = words[1]
		case "resource":
			for _, word := range words {
				if hash, ok := strings.CutPrefix(word, "hash="); ok {
					here[fmt.Sprint("hash ", version, " ", words[1], " ", hash)] = true
				}
			}
		}
	}
	var services apiregistrationv1.APIServiceList
	ask("/apis/apiregistration.k8s.io/v1/apiservices", "application/json", &services)
	for _, service := range services.Items {
		gv := strings.TrimPrefix(service.Spec.Group+"/"+service.Spec.Version, "/")
		there[fmt.Sprint("priority ", []string{gv, fmt.Sprint(service.Spec.GroupPriorityMinimum), fmt.Sprint(service.Spec.VersionPriority)})] = true
	}
	differences := 0
	for _, fact := range slices.Sorted(slices.Values(append(sortedKeys(here), sortedKeys(there)...))) {
		if here[fact] != there[fact] {
			differences++
			fmt.Println(map[bool]string{true: "only here:", false: "only there:"}[here[fact]], fact)
		}
	}
	fmt.Printf("%d facts here, %d there, %d differences\n", len(here), len(there), differences)
	if differences > 0 {
		fail("the registry and %s differ", server)
	}
}

func note(facts map[string]bool, gv string, resource apidiscoveryv2.APIResourceDiscovery) {
	resource = *resource.DeepCopy()
	for i := range resource.Subresources {
		sub := &resource.Subresources[i]
		sub.AcceptedTypes = nil
		text, err := json.Marshal(sub)
		must(err)
		facts[fmt.Sprintf("%s %s %s", gv, resource.Resource, text)] = true
	}
	resource.Subresources = nil
	text, err := json.Marshal(resource)
	must(err)
	facts[gv+" "+string(text)] = true
}

func asker(server, token string) func(path, accept string, into any) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	return func(path, accept string, into any) {
		request, err := http.NewRequest(http.MethodGet, server+path, nil)
		must(err)
		request.Header.Set("Accept", accept)
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := client.Do(request)
		must(err)
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		must(err)
		if response.StatusCode != http.StatusOK {
			fail("%s answered %s", path, response.Status)
		}
		must(json.Unmarshal(text, into))
	}
}

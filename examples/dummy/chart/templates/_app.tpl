{{/*
What the chart knows about the app as a whole: its processes, labels, image and the Kubernetes it meets.

A define can only give back text. Where a map or a list is wanted, the caller passes an empty holder as "into"
and the define fills it.
*/}}

{{/*
Processes of one kind, collected from the key and its aliases; an alias written later in "keys" wins.
Processes that are null (switched off by values-CLUSTER.yaml) are skipped.
Takes root, keys (list), into (dict).
*/}}
{{- define "lain.procs" -}}
{{- $into := .into -}}
{{- $values := .root.Values -}}
{{- range $key := .keys -}}
{{- range $name, $proc := get $values $key | default dict -}}
{{- if kindIs "map" $proc -}}
{{- $_ := set $into $name (mergeOverwrite (get $into $name | default dict) (deepCopy $proc)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "lain.deployments" -}}
{{- include "lain.procs" (dict "root" .root "into" .into "keys" (list "deployments" "deploy" "deployment")) -}}
{{- end -}}

{{- define "lain.statefulSets" -}}
{{- include "lain.procs" (dict "root" .root "into" .into "keys" (list "statefulSets" "sts" "statefulSet" "statefulset")) -}}
{{- end -}}

{{- define "lain.cronjobs" -}}
{{- include "lain.procs" (dict "root" .root "into" .into "keys" (list "cronjobs" "cronjob")) -}}
{{- end -}}

{{- define "lain.jobs" -}}
{{- include "lain.procs" (dict "root" .root "into" .into "keys" (list "jobs" "job")) -}}
{{- end -}}

{{- define "lain.tests" -}}
{{- include "lain.procs" (dict "root" .root "into" .into "keys" (list "tests")) -}}
{{- end -}}

{{/* The app's name; Secrets and images are called after it. Takes root. */}}
{{- define "lain.appname" -}}
{{- include "lain.text" (required "appname is not set; chart/values.yaml must name the app" .Values.appname) -}}
{{- end -}}

{{/* What the app's two Secrets are called after: a review has its own. Takes root. */}}
{{- define "lain.secretsName" -}}
{{- if .Values.secretsName -}}
{{- include "lain.text" .Values.secretsName -}}
{{- else -}}
{{- include "lain.appname" . -}}
{{- end -}}
{{- end -}}

{{/* Labels of objects. Takes root. */}}
{{- define "lain.labels" -}}
{{- $labels := dict
  "helm.sh/chart" .Release.Name
  "app.kubernetes.io/name" (include "lain.appname" .)
  "app.kubernetes.io/managed-by" .Release.Service -}}
{{- include "lain.textMap" (mergeOverwrite $labels (deepCopy (.Values.labels | default dict))) | trim -}}
{{- end -}}

{{/*
How Services and controllers find their pods. A running controller's selector cannot be changed,
so neither can these two labels. Takes root, name.
*/}}
{{- define "lain.selector" -}}
app.kubernetes.io/name: {{ include "lain.appname" .root | quote }}
app.kubernetes.io/instance: {{ printf "%s-%s" .root.Release.Name .name | quote }}
{{- end -}}

{{/* Labels of pods: those of objects, and the selector, which nothing may override. Takes root, name. */}}
{{- define "lain.podLabels" -}}
{{- $labels := deepCopy (.root.Values.labels | default dict) -}}
{{- range $fixed := list "app.kubernetes.io/name" "app.kubernetes.io/instance" -}}
{{- $_ := unset $labels $fixed -}}
{{- end -}}
{{- $labels := mergeOverwrite (dict
  "helm.sh/chart" .root.Release.Name
  "app.kubernetes.io/managed-by" .root.Release.Service) $labels -}}
{{- include "lain.selector" . -}}
{{- include "lain.textMap" $labels -}}
{{- end -}}

{{/* Where pods pull the app's images from. UNKNOWN is no valid host, so nothing can be pulled by accident. Takes root. */}}
{{- define "lain.registry" -}}
{{- coalesce .Values.internalRegistry .Values.registry "UNKNOWN" -}}
{{- end -}}

{{/* The tag that is deployed. Takes root. */}}
{{- define "lain.imageTag" -}}
{{- include "lain.text" .Values.imageTag | default "UNKNOWN" -}}
{{- end -}}

{{/*
The image of a container: its own `image`; one of `builds` (the build named default has no suffix);
the app's image with the container's own tag; the reference the whole deploy was given; the app's image.
Those of the app's own go by the digest that lain verified, where the cluster asks for signatures (`pinnedImages`).
Takes root, container.
*/}}
{{- define "lain.image" -}}
{{- $values := .root.Values -}}
{{- $appname := include "lain.appname" .root -}}
{{- $own := .container -}}
{{- $tag := include "lain.text" $own.imageTag -}}
{{- $build := include "lain.text" $own.build -}}
{{- if $own.image -}}
{{- include "lain.text" $own.image -}}
{{- else -}}
{{- $image := "" -}}
{{- if and $build (ne $build "default") -}}
{{- $image = printf "%s/%s-%s:%s" (include "lain.registry" .root) $appname $build ($tag | default (include "lain.imageTag" .root)) -}}
{{- else if and $values.imageRef (not $tag) -}}
{{- $image = include "lain.text" $values.imageRef -}}
{{- else -}}
{{- $image = printf "%s/%s:%s" (include "lain.registry" .root) $appname ($tag | default (include "lain.imageTag" .root)) -}}
{{- end -}}
{{- range splitList " " (include "lain.text" $values.pinnedImages) -}}
{{- if hasPrefix (printf "%s@" $image) . -}}
{{- $image = . -}}
{{- end -}}
{{- end -}}
{{- $image -}}
{{- end -}}
{{- end -}}

{{/*
API versions follow the version of the cluster, not .Capabilities.APIVersions: without a cluster, `helm template` fills
that list with whatever its own libraries know, whichever --kube-version it is asked for.
*/}}
{{- define "lain.cronJobAPI" -}}
{{- semverCompare ">=1.21-0" .Capabilities.KubeVersion.Version | ternary "batch/v1" "batch/v1beta1" -}}
{{- end -}}

{{- define "lain.autoscalingAPI" -}}
{{- semverCompare ">=1.23-0" .Capabilities.KubeVersion.Version | ternary "autoscaling/v2" "autoscaling/v2beta2" -}}
{{- end -}}

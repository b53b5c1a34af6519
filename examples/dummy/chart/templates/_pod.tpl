{{/*
The pod that all kinds of processes share.

"lain.podSpec" takes
  root       the chart's root
  name       name of the process
  proc       its values
  pull       imagePullPolicy when none is given
  resources  true: containers without resources get a generous default (jobs, tests)
  grace      terminationGracePeriodSeconds when none is given; 0 leaves it to Kubernetes
  restart    restartPolicy; "" leaves it to Kubernetes
*/}}
{{- define "lain.podSpec" -}}
{{- $root := .root -}}
{{- $proc := .proc -}}
{{- if not (kindIs "invalid" $proc.hostNetwork) }}
hostNetwork: {{ $proc.hostNetwork }}
{{- end }}
serviceAccountName: {{ coalesce $proc.serviceAccountName $root.Values.serviceAccountName "default" | quote }}
{{- with $proc.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "lain.affinity" . }}
affinity:
  {{- . | nindent 2 }}
{{- end }}
{{- with include "lain.hostAliases" $root | trim }}
hostAliases:
  {{- . | nindent 2 }}
{{- end }}
{{- with include "lain.number" (list $proc "terminationGracePeriodSeconds" (.grace | default "")) }}
terminationGracePeriodSeconds: {{ . }}
{{- end }}
{{- with .restart }}
restartPolicy: {{ . }}
{{- end }}
{{- with $proc.initContainers }}
initContainers:
  {{- range . }}
  {{- include "lain.container" (dict "root" $root "name" .name "container" . "pull" $.pull "resources" true) | nindent 2 }}
  {{- end }}
{{- end }}
containers:
  {{- include "lain.container" (dict "root" $root "name" .name "container" $proc "pull" .pull "resources" .resources) | nindent 2 }}
volumes:
  {{- include "lain.volumes" $root | trim | nindent 2 }}
{{- end -}}

{{/* One container. Takes root, name, container (its values), pull, resources. */}}
{{- define "lain.container" -}}
{{- $root := .root -}}
{{- $own := .container -}}
- name: {{ include "lain.text" .name | quote }}
  image: {{ include "lain.image" . | quote }}
  imagePullPolicy: {{ $own.imagePullPolicy | default .pull | quote }}
  {{- with $own.command }}
  {{- if not (kindIs "slice" .) }}
  {{- fail (printf "the command of %s must be a list, such as [\"bash\", \"-c\", \"...\"], not: %v" $.name .) }}
  {{- end }}
  command:
    {{- include "lain.textList" . | trim | nindent 4 }}
  {{- end }}
  {{- with $own.workingDir }}
  workingDir: {{ include "lain.text" . | quote }}
  {{- end }}
  envFrom:
    - secretRef:
        name: {{ printf "%s-env" (include "lain.secretsName" $root) | quote }}
    {{- with $root.Values.extraEnvFrom }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  env:
    {{- include "lain.env" . | trim | nindent 4 }}
  {{- with $own.containerPort }}
  ports:
    - containerPort: {{ int64 . }}
      protocol: TCP
  {{- end }}
  {{- range $hook := list "lifecycle" "readinessProbe" "livenessProbe" "startupProbe" }}
  {{- with get $own $hook }}
  {{ $hook }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- if not (kindIs "invalid" $own.resources) }}
  resources:
    {{- include "lain.quantities" $own.resources | trim | default "{}" | nindent 4 }}
  {{- else if .resources }}
  resources:
    requests:
      cpu: 500m
      memory: 1Gi
    limits:
      cpu: 2000m
      memory: 2Gi
  {{- end }}
  {{- with include "lain.volumeMounts" . }}
  volumeMounts:
    {{- . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/*
Environment: what lain tells every container, then the app's env and the container's own, sorted. Each name once: the container's
value wins over the app's, either wins over lain's. A null is no value, as helm 4 takes nulls out of chart/values.yaml and helm 3 does not.
Takes root, container.
*/}}
{{- define "lain.env" -}}
{{- $values := .root.Values -}}
{{- $env := dict -}}
{{- range $layer := list $values.env .container.env -}}
{{- range $name, $value := $layer -}}
{{- if not (kindIs "invalid" $value) -}}
{{- $_ := set $env $name $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $given := list
  (list "LAIN_CLUSTER" ($values.cluster | default "UNKNOWN"))
  (list "K8S_NAMESPACE" ($values.namespace | default .root.Release.Namespace))
  (list "IMAGE_TAG" (include "lain.imageTag" .root)) -}}
{{- range $given -}}
{{- $name := first . -}}
{{- $value := last . -}}
{{- if hasKey $env $name -}}
{{- $value = get $env $name -}}
{{- $_ := unset $env $name -}}
{{- end }}
- name: {{ $name }}
  value: {{ include "lain.text" $value | quote }}
{{- end }}
{{- range $name, $value := $env }}
- name: {{ quote $name }}
  value: {{ include "lain.text" $value | quote }}
{{- end }}
{{- end -}}

{{/*
Mounts of the app, then those of the container. A path is mounted once: the container's own mount replaces the app's.
The volume is the app's Secret when no name is given. Takes root, container.
*/}}
{{- define "lain.volumeMounts" -}}
{{- $own := .container.volumeMounts | default list -}}
{{- $taken := dict -}}
{{- range $own -}}
{{- $_ := set $taken (include "lain.text" .mountPath) true -}}
{{- end -}}
{{- $mounts := list -}}
{{- range .root.Values.volumeMounts -}}
{{- if not (hasKey $taken (include "lain.text" .mountPath)) -}}
{{- $mounts = append $mounts . -}}
{{- end -}}
{{- end -}}
{{- $lines := list -}}
{{- range concat $mounts $own -}}
{{- $mount := dict "name" (.name | default "secret") -}}
{{- range $key, $value := . -}}
{{- if and (ne $key "name") (not (kindIs "invalid" $value)) -}}
{{- $_ := set $mount $key $value -}}
{{- end -}}
{{- end -}}
{{- $lines = append $lines (toYaml (list $mount)) -}}
{{- end -}}
{{- join "\n" $lines -}}
{{- end -}}

{{/* Volumes: the app's own, its Secret, one of the same name for each claim. A name the app uses itself is left to it. Takes root. */}}
{{- define "lain.volumes" -}}
{{- $root := . -}}
{{- $taken := dict -}}
{{- with .Values.volumes -}}
{{- range . -}}
{{- $_ := set $taken (toString .name) true -}}
{{- end -}}
{{- toYaml . -}}
{{- end -}}
{{- if not (hasKey $taken "secret") }}
- name: secret
  secret:
    secretName: {{ printf "%s-secret" (include "lain.secretsName" .) | quote }}
{{- end }}
{{- range $name, $claim := .Values.persistentVolumeClaims }}
{{- if and $claim (not (hasKey $taken $name)) }}
- name: {{ quote $name }}
  persistentVolumeClaim:
    claimName: {{ printf "%s-%s" $root.Release.Name $name | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/*
The app's hostAliases after the cluster's. Kubernetes keys this list by ip (server-side apply refuses an ip that comes twice),
so host names of one ip are gathered under it. Takes root.
*/}}
{{- define "lain.hostAliases" -}}
{{- $order := list -}}
{{- $names := dict -}}
{{- range concat (.Values.clusterHostAliases | default list) (.Values.hostAliases | default list) -}}
{{- $ip := include "lain.text" .ip -}}
{{- if not (hasKey $names $ip) -}}
{{- $order = append $order $ip -}}
{{- end -}}
{{- $_ := set $names $ip (concat (get $names $ip | default list) (.hostnames | default list)) -}}
{{- end -}}
{{- range $ip := $order }}
- ip: {{ quote $ip }}
  hostnames:
    {{- include "lain.textList" (get $names $ip | uniq) | trim | nindent 4 }}
{{- end }}
{{- end -}}

{{/*
Affinity. `nodes` keeps the pods on nodes that carry the label RELEASE-PROC=true (lain puts it there). Node selector terms are
alternatives, so that condition goes into every term that `affinity` brings along. Takes root, name, proc.
*/}}
{{- define "lain.affinity" -}}
{{- $affinity := deepCopy (.proc.affinity | default dict) -}}
{{- if .proc.nodes -}}
{{- $condition := dict "key" (printf "%s-%s" .root.Release.Name .name) "operator" "In" "values" (list "true") -}}
{{- $node := get $affinity "nodeAffinity" | default dict -}}
{{- $required := get $node "requiredDuringSchedulingIgnoredDuringExecution" | default dict -}}
{{- $terms := list -}}
{{- range get $required "nodeSelectorTerms" | default (list dict) -}}
{{- $terms = append $terms (set . "matchExpressions" (append (.matchExpressions | default list) $condition)) -}}
{{- end -}}
{{- $_ := set $required "nodeSelectorTerms" $terms -}}
{{- $_ := set $node "requiredDuringSchedulingIgnoredDuringExecution" $required -}}
{{- $_ := set $affinity "nodeAffinity" $node -}}
{{- end -}}
{{- if $affinity -}}
{{- toYaml $affinity -}}
{{- end -}}
{{- end -}}

{{/* Annotations of a pod: the process's own, and the checksum of the app's Secrets if deploy passed one. Takes root, proc, checksum. */}}
{{- define "lain.podAnnotations" -}}
{{- $annotations := deepCopy (.proc.podAnnotations | default dict) -}}
{{- if and .checksum .root.Values.secretsChecksum -}}
{{- $_ := set $annotations "lain.dev/secrets-checksum" .root.Values.secretsChecksum -}}
{{- end -}}
{{- include "lain.textMap" $annotations | trim -}}
{{- end -}}

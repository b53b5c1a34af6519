{{/*
One Ingress.

Takes
  root, ingress
  key          where the ingress was found, for messages
  bare         true: a host without dots is completed with the cluster's domain
  class        the cluster's class for this kind of ingress
  annotations  the app's annotations for this kind of ingress
  tlsSecret    a Secret with the certificate
*/}}
{{- define "lain.ingress" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $ingress := .ingress -}}
{{- $host := include "lain.text" $ingress.host -}}
{{- $domain := include "lain.text" $values.domain -}}
{{- $suffix := include "lain.text" $values.domain_suffix -}}
{{- if not $host -}}
{{- fail (printf "%s: an entry has no host; write the subdomain, or the full domain name" .key) -}}
{{- end -}}

{{- /* The full host, and the word that names the object */ -}}
{{- $fqdn := $host -}}
{{- $word := $host -}}
{{- if and .bare (not (contains "." $host)) -}}
{{- if $suffix -}}
{{- $fqdn = print $host $suffix -}}
{{- $word = $fqdn -}}
{{- else if $domain -}}
{{- $fqdn = printf "%s.%s" $host $domain -}}
{{- $word = printf "%s-%s" $host $domain -}}
{{- else -}}
{{- fail (printf "%s: host %q has no dot, so it needs the cluster's domain: set domain or domain_suffix in the cluster values, or write the full host name" .key $host) -}}
{{- end -}}
{{- end -}}

{{- /* The process behind it */ -}}
{{- $procs := dict -}}
{{- include "lain.deployments" (dict "root" $root "into" $procs) -}}
{{- include "lain.statefulSets" (dict "root" $root "into" $procs) -}}
{{- $target := include "lain.text" $ingress.deployName -}}
{{- if not (hasKey $procs $target) -}}
{{- fail (printf "%s: host %q has deployName %q, which is no deployment; set it to one of: %s" .key $host $target (keys $procs | sortAlpha | join ", ")) -}}
{{- end -}}
{{- $proc := get $procs $target -}}

{{- /* Class: an annotation, or the field where the cluster knows it. The API server takes only one of the two. */ -}}
{{- $annotations := dict -}}
{{- with $values.clusterIssuer -}}
{{- $_ := set $annotations "cert-manager.io/cluster-issuer" . -}}
{{- end -}}
{{- $class := $ingress.ingressClass | default .class -}}
{{- if and $class (not $values.supportsIngressClassName) -}}
{{- $_ := set $annotations "kubernetes.io/ingress.class" $class -}}
{{- end -}}
{{- $annotations = mergeOverwrite $annotations (deepCopy (.annotations | default dict)) (deepCopy ($ingress.annotations | default dict)) -}}

{{- /* Certificate: cert-manager makes one for the parent domain and everything right below it */ -}}
{{- $zone := regexReplaceAll "^[^.]+\\.(.+)$" $fqdn "${1}" -}}
{{- if and .bare (not (contains "." $host)) $domain -}}
{{- $zone = $domain -}}
{{- else if and (not .bare) (regexMatch "^[^.]+\\.[^.]+$" $host) -}}
{{- $zone = $host -}}
{{- end -}}
{{- $names := list (print "*." $zone) $zone -}}
{{- if eq $zone $host -}}
{{- $names = reverse $names -}}
{{- end -}}

apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ printf "%s-%s-%s" ($word | replace "*" "wildcard" | replace "." "-") $root.Release.Name $target | quote }}
  {{- with include "lain.textMap" $annotations | trim }}
  annotations:
    {{- . | nindent 4 }}
  {{- end }}
  labels:
    {{- include "lain.labels" $root | nindent 4 }}
spec:
  {{- if and $class $values.supportsIngressClassName (not (hasKey $annotations "kubernetes.io/ingress.class")) }}
  ingressClassName: {{ quote $class }}
  {{- end }}
  {{- if $values.clusterIssuer }}
  tls:
    - hosts:
        {{- range $names }}
        - {{ quote . }}
        {{- end }}
      secretName: {{ $zone | replace "." "-" | quote }}
  {{- else if .tlsSecret }}
  tls:
    - secretName: {{ quote .tlsSecret }}
  {{- end }}
  rules:
    - host: {{ quote $fqdn }}
      http:
        paths:
          {{- range $ingress.paths | default (list "/") }}
          - path: {{ include "lain.text" . | quote }}
            pathType: Prefix
            backend:
              service:
                name: {{ printf "%s-%s" $root.Release.Name $target | quote }}
                port:
                  number: {{ $proc.nodePort | default 80 | int64 }}
          {{- end }}
{{- end -}}

{{/*
Scalars. YAML readers disagree about words such as y, on, 1e3 or 0123, so whatever is text in Kubernetes is written
between quotes. Every use looks like  {{ include "lain.text" VALUE | quote }}.
*/}}

{{/* A scalar as the text a person would expect: 1000000 and not 1e+06, nothing for null. */}}
{{- define "lain.text" -}}
{{- if kindIs "float64" . -}}
{{- if eq (floor .) . }}{{ printf "%.0f" . }}{{ else }}{{ toString . }}{{ end -}}
{{- else if not (kindIs "invalid" .) -}}
{{- toString . -}}
{{- end -}}
{{- end -}}

{{/* A map whose values are text: labels, annotations. Keys with null are left out. */}}
{{- define "lain.textMap" -}}
{{- range $key, $value := . }}
{{- if not (kindIs "invalid" $value) }}
{{ quote $key }}: {{ include "lain.text" $value | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{/* A list whose items are text, such as a command. */}}
{{- define "lain.textList" -}}
{{- range . }}
- {{ include "lain.text" . | quote }}
{{- end }}
{{- end -}}

{{/*
A whole number, or the default when the key is absent or null. Zero is a number like any other.
Takes (list MAP KEY DEFAULT).
*/}}
{{- define "lain.number" -}}
{{- $value := get (index . 0) (index . 1) -}}
{{- if or (kindIs "invalid" $value) (eq (toString $value) "") -}}
{{- index . 2 -}}
{{- else -}}
{{- int64 $value -}}
{{- end -}}
{{- end -}}

{{/*
A block with `requests` and `limits`. Quantities are text: `cpu: 1` is what people write, and what
server-side apply refuses on older clusters. Anything else in the block is passed through.
*/}}
{{- define "lain.quantities" -}}
{{- range $part, $content := . }}
{{- if not (kindIs "map" $content) }}
{{ toYaml (dict $part $content) }}
{{- else if has $part (list "requests" "limits") }}
{{ $part }}:
  {{- include "lain.textMap" $content | trim | nindent 2 }}
{{- else }}
{{ toYaml (dict $part $content) }}
{{- end }}
{{- end }}
{{- end -}}

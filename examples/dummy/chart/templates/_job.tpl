{{/* What a Job runs; a CronJob holds the same. Takes what "lain.podSpec" takes. */}}
{{- define "lain.jobSpec" -}}
backoffLimit: {{ include "lain.number" (list .proc "backoffLimit" 0) }}
activeDeadlineSeconds: {{ include "lain.number" (list .proc "activeDeadlineSeconds" 3600) }}
ttlSecondsAfterFinished: {{ include "lain.number" (list .proc "ttlSecondsAfterFinished" 86400) }}
template:
  metadata:
    {{- with include "lain.podAnnotations" . }}
    annotations:
      {{- . | nindent 6 }}
    {{- end }}
    labels:
      {{- include "lain.podLabels" . | nindent 6 }}
  spec:
    {{- include "lain.podSpec" . | trim | nindent 4 }}
{{- end -}}

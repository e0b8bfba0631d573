{{- define "asr.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "asr.labels" -}}
{{ include "asr.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "asr.metadata" -}}
name: {{ .Release.Name }}
labels:
  {{- include "asr.labels" . | nindent 2 }}
{{- end }}

{{/* Variables that follow from other values. What `settings` says goes before. */}}
{{- define "asr.settings" -}}
{{- $closed := or (hasKey .Values.secretFiles "ASR_KEYS_FILE") (hasKey .Values.settings "ASR_KEYS") (hasKey .Values.settings "ASR_JWT_ISSUER") }}
ASR_AUTH: {{ ternary "required" "none" $closed }}
ASR_BIND: 0.0.0.0:8000
ASR_MANAGEMENT_BIND: 0.0.0.0:{{ .Values.metricsPort }}
ASR_GRACE_SECONDS: {{ .Values.graceSeconds }}
ASR_WORKERS: 1
{{- with .Values.models.volume }}
ASR_MODELS: /models
ASR_MODEL: /models/{{ $.Values.models.default }}
{{- end }}
{{- if .Values.cache.enabled }}
ASR_CACHE: /cache/graphs
ASR_LIMITS_FILE: /cache/limits.sqlite
{{- end }}
{{- range $name, $file := .Values.secretFiles }}
{{ $name }}: /run/secrets/{{ $file.secret }}/{{ $file.key }}
{{- end }}
{{- end }}

{{- define "asr.secrets" -}}
{{- $names := list }}
{{- range .Values.secretFiles }}{{ $names = append $names .secret }}{{ end }}
{{- $names | uniq | sortAlpha | toJson }}
{{- end }}

import type { Metrics } from '@/api/schema'

/** One live number: where it lies in `metrics`, how it is shown, when it deserves attention. */
export interface MetricDefinition {
  key: string
  /** Names under which runners report it, first found wins. */
  names: readonly string[]
  unit: string
  digits: number
  isWarning?: (value: number) => boolean
}

export const METRICS: readonly MetricDefinition[] = [
  { key: 'fps', names: ['fps'], unit: 'fps', digits: 1 },
  { key: 'held', names: ['held'], unit: '', digits: 0 },
  { key: 'dropped', names: ['dropped'], unit: '', digits: 0 },
  {
    key: 'encode',
    names: ['encode_ms', 'encode_ms_p95'],
    unit: 'ms',
    digits: 1,
    isWarning: (value) => value > 30,
  },
  {
    key: 'skew',
    names: ['av_skew_ms', 'skew_ms', 'av_skew_ms_p95'],
    unit: 'ms',
    digits: 1,
    isWarning: (value) => Math.abs(value) > 40,
  },
  { key: 'first_audio', names: ['first_audio_ms'], unit: 'ms', digits: 0 },
  { key: 'interrupt', names: ['interrupt_ms'], unit: 'ms', digits: 0 },
  { key: 'viewers', names: ['viewers'], unit: '', digits: 0 },
  { key: 'memory', names: ['memory_mib', 'memory'], unit: 'MiB', digits: 0 },
]

const SERIES_LENGTH = 90

function toNumber(value: unknown): number | null {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (Array.isArray(value)) return value.length
  if (typeof value !== 'object' || value === null) return null
  // Memory comes by process: the tile shows the sum.
  const parts = Object.values(value).filter((part) => typeof part === 'number')
  return parts.length > 0 ? parts.reduce((sum, part) => sum + part, 0) : null
}

/** The value of one metric in a report, or null when the runner did not send it. */
export function readMetric(metrics: Metrics, definition: MetricDefinition): number | null {
  for (const name of definition.names) {
    const value = toNumber(metrics[name])
    if (value !== null) return value
  }
  return null
}

export type Series = Record<string, number[]>

/** The series with one more report; each keeps its newest 90 values. */
export function extendSeries(series: Series, metrics: Metrics): Series {
  const next: Series = { ...series }
  for (const definition of METRICS) {
    const value = readMetric(metrics, definition)
    if (value === null) continue
    next[definition.key] = [...(series[definition.key] ?? []), value].slice(-SERIES_LENGTH)
  }
  return next
}

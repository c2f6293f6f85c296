import type { BroadcastEvent } from '@/api/schema'
import { amountText } from '@/composables/formatting'

export type EventTone = 'good' | 'warn' | 'bad' | 'quiet'

/** One line of the log: a text key with its values, what the server said, and how bad it is. */
export interface EventLine {
  sequence: number
  at: string
  key: string
  values: Record<string, string | number>
  reason: string
  tone: EventTone
  /** How often in a row; `at` is the newest. */
  count: number
}

// Cursor and sentence events have their own panels; here they would bury the rest.
const HIDDEN = new Set(['cursor', 'utterance', 'speech.made'])
const BAD = new Set(['failed', 'died'])
const WARN = new Set(['retrying', 'waiting_for_key', 'held', 'paused'])
const GOOD = new Set(['live', 'recording', 'finished', 'running'])

function toneOf(kind: string, state: string): EventTone {
  if (kind === 'clock.rebased' || kind === 'viewer.failed' || kind === 'quota.warning') return 'warn'
  if (kind === 'quota.reached') return 'bad'
  if (BAD.has(state)) return 'bad'
  if (WARN.has(state)) return 'warn'
  return GOOD.has(state) ? 'good' : 'quiet'
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

function keyOf(kind: string, data: Record<string, unknown>, state: string): string {
  if (kind === 'runner.started') return Number(data.lease_epoch) > 1 ? 'replaced' : 'started'
  if (kind.startsWith('quota.')) return text(data.meter)
  if (kind === 'worker') return `${text(data.kind)}_${state}`
  return state || 'happened'
}

function lineOf({ sequence, at, kind, data }: BroadcastEvent, names: Record<string, string>): EventLine {
  const state = text(data.state) || text(data.script)
  const values = {
    name: text(data.name) || names[text(data.id)] || '',
    seconds: (Number(data.gap_ms ?? 0) / 1000).toFixed(1),
    step: text(data.step),
    used: amountText(text(data.meter), Number(data.used ?? 0)),
    limit: amountText(text(data.meter), Number(data.limit ?? 0)),
  }
  const key = `events.${kind.replace('.', '_')}.${keyOf(kind, data, state)}`
  return { sequence, at, key, values, reason: text(data.reason), tone: toneOf(kind, state), count: 1 }
}

function isRepeat(line: EventLine, before: EventLine | undefined): boolean {
  return (
    before !== undefined &&
    before.key === line.key &&
    before.reason === line.reason &&
    before.values.name === line.values.name
  )
}

/** The log from events in order, newest first; the same thing again and again is one line. */
export function eventLines(events: BroadcastEvent[], names: Record<string, string>): EventLine[] {
  const lines: EventLine[] = []
  for (const event of events) {
    if (HIDDEN.has(event.kind)) continue
    const line = lineOf(event, names)
    const before = lines.at(-1)
    if (before && isRepeat(line, before)) lines.splice(-1, 1, { ...line, count: before.count + 1 })
    else lines.push(line)
  }
  return lines.reverse()
}

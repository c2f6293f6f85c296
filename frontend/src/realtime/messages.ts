import type {
  Broadcast,
  BroadcastEvent,
  BroadcastOutput,
  Cursor,
  ErrorBody,
  Metrics,
  ScriptState,
  Utterance,
} from '@/api/schema'

/** A line as it is heard. */
export interface Caption {
  utterance: string
  text: string
  start_ms: number
  end_ms: number
}

export interface ResultMessage {
  id: string
  ok: boolean
  error?: ErrorBody | string
  data?: unknown
}

/** What the console socket tells, by its `type`. */
export type ConsoleMessage =
  | { type: 'welcome'; broadcast: Broadcast | string; permissions: string[] }
  | { type: 'state'; data: Partial<Broadcast> }
  | { type: 'cursor'; data: Cursor & { script?: ScriptState } }
  | { type: 'utterance'; data: Utterance }
  | { type: 'caption'; data: Caption }
  | { type: 'output'; data: Partial<BroadcastOutput> & { id: string } }
  | { type: 'metrics'; data: Metrics }
  | { type: 'event'; data: BroadcastEvent }
  | { type: 'result'; data: ResultMessage }

const BODY_TYPES = new Set([
  'state',
  'cursor',
  'utterance',
  'caption',
  'output',
  'metrics',
  'event',
  'result',
])

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Fields may lie beside `type` or in an object named like it (`utterance: {...}`): both are read. */
export function bodyOf(message: Record<string, unknown>): Record<string, unknown> {
  const { type, ...fields } = message
  const nested = fields[String(type)]
  return isObject(nested) ? nested : fields
}

/** The message in typed form, or null for a type this version does not know. */
export function toConsoleMessage(raw: Record<string, unknown>): ConsoleMessage | null {
  const type = raw.type
  if (type === 'welcome') {
    const permissions = Array.isArray(raw.permissions) ? raw.permissions.map(String) : []
    return { type, broadcast: raw.broadcast as Broadcast | string, permissions }
  }
  if (typeof type !== 'string' || !BODY_TYPES.has(type)) return null
  return { type, data: bodyOf(raw) } as unknown as ConsoleMessage
}

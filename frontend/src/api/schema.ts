/** The shapes of the public contract, version 1, that this app reads and writes. */

export const EXPRESSIONS = [
  'neutral',
  'happy',
  'laugh',
  'surprised',
  'sad',
  'angry',
  'thinking',
  'wink',
] as const
export const GESTURES = ['none', 'wave', 'point_left', 'point_right', 'open_hands', 'heart'] as const

export type Expression = (typeof EXPRESSIONS)[number]
export type Gesture = (typeof GESTURES)[number]
export type CueKind = 'speech' | 'pause' | 'clip'
export type BroadcastState = 'starting' | 'live' | 'recovering' | 'stopping' | 'ended' | 'failed'
export type ScriptState = 'running' | 'held' | 'paused' | 'finished'
export type OutputState =
  | 'connecting'
  | 'live'
  | 'retrying'
  | 'waiting_for_key'
  | 'failed'
  | 'stopped'
export type UtteranceState =
  | 'queued'
  | 'speaking'
  | 'said'
  | 'interrupted'
  | 'dropped'
  | 'failed'
export type UtteranceSource = 'script' | 'operator' | 'answer'

export interface ErrorDetail {
  field: string | null
  code: string
  message: string
}

export interface ErrorBody {
  code: string
  message: string
  details?: ErrorDetail[]
}

export interface Page<T> {
  next: string | null
  previous: string | null
  results: T[]
}

export interface Organization {
  id: string
  name: string
  role?: string
}

export interface Me {
  username: string
  organizations: Organization[]
}

/** A product card shown while its cue is on air. picture: id of an uploaded one. */
export interface Card {
  title: string
  text?: string
  price?: string
  url?: string
  picture?: string | null
}

export interface Picture {
  id: string
  name: string
  image_url: string
}

/** `position` is absent in the rundown of a broadcast, which lies in order. */
export interface Cue {
  id: string
  position?: number
  kind: CueKind
  text: string
  expression: Expression
  gesture: Gesture
  emotion: number
  clip: string | null
  pause_seconds: number
  card?: Card | null
}

export interface Show {
  id: string
  title: string
  avatar: string
  voice: string
  language: string
  profile: string
  visibility: 'public' | 'unlisted' | 'private'
  rundown_mode: 'once' | 'loop'
  cues: Cue[]
  outputs: string[]
  overlays?: { captions: boolean }
  record: boolean
}

export interface Voice {
  id: string
  name: string
  engine: string
  language: string
  state: 'building' | 'ready' | 'failed'
  failure_reason?: string
  fallbacks: string[]
}

/** How a word is read; voice null = by every voice of the language. */
export interface Pronunciation {
  id: string
  language: string
  voice: string | null
  text: string
  reading: string
}

export interface Output {
  id: string
  name: string
  kind: string
  url: string
  key_hint: string | null
  key_per_broadcast: boolean
}

export interface BroadcastOutput {
  id: string
  output: string
  name?: string
  state: OutputState
  reason: string
  bitrate_kbps: number | null
  dropped: number | null
  reconnects: number | null
}

export interface Cursor {
  cue: string | null
  sentence: number
  loop: number
}

export interface WorkerProcess {
  kind: string
  pid: number
}

export type Metrics = Record<string, unknown>

export interface Broadcast {
  id: string
  show: string
  state: BroadcastState
  reason: string
  started_at: string | null
  first_frame_at: string | null
  ended_at: string | null
  cursor: Cursor | null
  script: ScriptState
  outputs: BroadcastOutput[]
  metrics: Metrics | null
  /** Title and cues as they were when the broadcast started. */
  title?: string
  rundown?: Cue[]
  record?: boolean
  thumbnail_url: string | null
  watch_url: string
  runner?: { pid: number; lease_epoch: number; workers: WorkerProcess[] } | null
}

export interface Utterance {
  id: string
  source: UtteranceSource
  cue: string | null
  sentence: number | null
  loop: number | null
  text: string
  generation: number
  state: UtteranceState
  started_at: string | null
  media_time_ms: number | null
  played_ms: number | null
  duration_ms: number | null
}

export interface BroadcastEvent {
  sequence: number
  kind: string
  at: string
  data: Record<string, unknown>
}

export interface Caption {
  utterance: string
  text: string
  start_ms: number
  end_ms: number
}

export interface Ticket {
  ticket: string
  expires_in: number
  /** The airing that a show's watch page was resolved to, where the server says so. */
  broadcast?: string
  ice_servers?: RTCIceServer[]
}

/** Arguments of each command: the bodies of the REST verbs of the same name. */
export interface CommandArguments {
  stop: { when: 'now' | 'sentence_end' }
  say: {
    text: string
    interrupt: boolean
    expression?: Expression
    gesture?: Gesture
    emotion?: number
  }
  interrupt: { resume_after_seconds: number | null }
  pause: Record<string, never>
  resume: Record<string, never>
  skip: Record<string, never>
  take: { cue: string }
  expression: { name: Expression }
  gesture: { name: Gesture }
  clip: { clip: string }
  record: { on: boolean }
}

export type CommandName = keyof CommandArguments

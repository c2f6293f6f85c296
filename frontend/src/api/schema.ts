/** Short names for the shapes of the API, all of them generated (`npm run generate:api`). */

import type { BodyOf } from './calls'
import type { components } from './openapi'

type Schemas = components['schemas']

export type Expression = Schemas['ExpressionEnum']
export type Gesture = Schemas['GestureEnum']
export type CueKind = Schemas['CueKindEnum']
export type BroadcastState = Schemas['BroadcastAnswerStateEnum']
export type ScriptState = Schemas['ScriptEnum']
export type OutputState = Schemas['BroadcastOutputAnswerStateEnum']
export type UtteranceState = Schemas['UtteranceStateEnum']
export type UtteranceSource = Schemas['SourceEnum']

/** In the order in which they are offered. A missing or unknown one does not compile. */
export const EXPRESSIONS = namesOf<Expression>({
  neutral: 0,
  happy: 1,
  laugh: 2,
  surprised: 3,
  sad: 4,
  angry: 5,
  thinking: 6,
  wink: 7,
})
export const GESTURES = namesOf<Gesture>({
  none: 0,
  wave: 1,
  point_left: 2,
  point_right: 3,
  open_hands: 4,
  heart: 5,
})

export type WebhookEvent = Schemas['WebhookEventEnum']
export type Webhook = Schemas['Webhook']
export type WebhookDraft = Schemas['WebhookWriteRequest']
export type Delivery = Schemas['Delivery']
export type ApiKey = Schemas['ApiKey']
export type ApiKeyDraft = Schemas['ApiKeyWriteRequest']
export type Scope = ApiKeyDraft['scopes'][number]

export type Usage = Schemas['UsageAnswer']
export type Meter = Schemas['MeterAnswer']
export type CalendarAddress = Schemas['NewCalendarAddressAnswer']

/** A missing or unknown one does not compile. */
export const WEBHOOK_EVENTS = namesOf<WebhookEvent>({
  'show.created': 0,
  'show.changed': 1,
  'show.deleted': 2,
  'broadcast.started': 3,
  'broadcast.live': 4,
  'broadcast.recovering': 5,
  'broadcast.ended': 6,
  'broadcast.failed': 7,
  'utterance.said': 8,
  'output.live': 9,
  'output.retrying': 10,
  'output.failed': 11,
  'avatar.ready': 12,
  'avatar.failed': 13,
  'quota.warning': 14,
  'quota.reached': 15,
  'webhook.test': 16,
})

/** In the order in which they are offered. A missing or unknown one does not compile. */
export const SCOPES = namesOf<Scope>({
  'show.view': 0,
  'show.edit': 1,
  'broadcast.view': 2,
  'broadcast.start': 3,
  'broadcast.steer': 4,
  'broadcast.replace_key': 5,
  'output.view': 6,
  'output.edit': 7,
  'avatar.view': 8,
  'avatar.edit': 9,
  'voice.view': 10,
  'voice.edit': 11,
  'recording.view': 12,
  'recording.edit': 13,
  'organization.view': 14,
})

export type ErrorBody = Omit<Schemas['Error']['error'], 'code' | 'details'> & {
  /** Of the server's list, or one of the page's own such as `network`. */
  code: string
  details?: ErrorDetail[]
}
export type ErrorDetail = Schemas['Error']['error']['details'][number]

export type Organization = Schemas['Membership']
export type Me = Schemas['Me']
export type Card = Schemas['Card']
export type Picture = Schemas['PictureAnswer']
export type PictureKind = Picture['kind']
/** Of a show or of a broadcast; those of a show have a `position` too. */
export type Cue = Schemas['AiredCue'] & Partial<Pick<Schemas['Cue'], 'position'>>
export type Show = Schemas['Show']
/** What a show airs next, and what it missed. */
export type NextAiring = Schemas['NextAiringAnswer']
export type Airing = Schemas['OccurrenceAnswer']
export type Presenter = Schemas['Avatar']
export type PresenterWeights = Schemas['AvatarWeights']
export type ModelServer = Schemas['ModelServer']
export type WeightsNetwork = Schemas['WeightsNetwork']
export type Build = Schemas['Build']
export type Consent = Schemas['Consent']
/** What the forms of an upload hold; files as files. */
export type PresenterUpload = Schemas['AvatarUploadRequest']
export type Voice = Schemas['Voice']
export type Pronunciation = Schemas['Pronunciation']
export type PronunciationDraft = Schemas['PronunciationWriteRequest']
export type Output = Schemas['Output']
export type BroadcastOutput = Schemas['BroadcastOutputAnswer']
export type Cursor = Schemas['CursorAnswer']
export type Metrics = NonNullable<Broadcast['metrics']>
export type Broadcast = Schemas['BroadcastAnswer']
export type Utterance = Schemas['UtteranceAnswer']
export type BroadcastEvent = Schemas['EventAnswer']
export type Ticket = Schemas['TicketAnswer']

/** Verbs of a broadcast that the console sends too. */
export type CommandName =
  | 'stop' | 'say' | 'interrupt' | 'pause' | 'resume' | 'skip' | 'take'
  | 'expression' | 'gesture' | 'clip' | 'record'

/** Arguments of each command: the bodies of the REST verbs of the same name. */
export type CommandArguments = {
  [N in CommandName]: BodyOf<`broadcasts/{broadcast_id}/${N}/`, 'post'> extends infer B
    ? B extends undefined ? Record<string, never> : B
    : never
}

function namesOf<T extends string>(order: Record<T, number>): readonly T[] {
  return Object.keys(order) as T[]
}

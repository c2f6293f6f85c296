import type { ApiError } from '@/api/errors'

import { DecodeUnsupportedError, type FailedStep } from './viewerPeer'
import type { WatchError } from './watchSocket'

/** Where a viewer's connection stopped: one of its steps, the broadcast itself, or a full house. */
export type FailurePlace = FailedStep | 'broadcast' | 'full'

export type Refusal =
  | { kind: 'waiting'; retryAfterSeconds: number | null }
  | { kind: 'not_found' }
  | { kind: 'sign_in' }
  | { kind: 'failed'; place: FailurePlace; detail: string; retryAfterSeconds: number | null }

const STEPS: readonly string[] = ['signalling', 'ice', 'dtls', 'decode']
const FULL_CODES: readonly string[] = ['viewer_limit', 'viewers_full', 'too_many_viewers', 'full']
const CODEC_CODES = /h264|codec|not_acceptable/

/** What an HTTP refusal of the ticket or of WHEP means to a viewer. */
export function refusalOfApiError(error: ApiError): Refusal {
  const { status, message, code, retryAfterSeconds } = error
  const failed = (place: FailurePlace): Refusal => ({
    kind: 'failed',
    place,
    detail: message || code,
    retryAfterSeconds,
  })
  if (status === 404) return { kind: 'not_found' }
  if (status === 401 || status === 403) return { kind: 'sign_in' }
  if (status === 409) return { kind: 'waiting', retryAfterSeconds }
  if (status === 406) return failed('decode')
  if (status === 503 && (FULL_CODES.includes(code) || /viewer/.test(code))) return failed('full')
  return failed('signalling')
}

/** Errors about one candidate: the connection may come up by another, and its deadline judges. */
export function isHarmless(error: WatchError): boolean {
  return error.code === 'bad_candidate' || error.code === 'unknown_viewer'
}

/** What an `error` message of the watch socket means to a viewer. */
export function refusalOfWatchError(error: WatchError): Refusal {
  const { code, message, retryAfterSeconds } = error
  if (code === 'not_live') return { kind: 'waiting', retryAfterSeconds }
  const detail = message || code
  return { kind: 'failed', place: placeOfCode(code), detail, retryAfterSeconds }
}

function placeOfCode(code: string): FailurePlace {
  const step = code.replace(/_failed$/, '')
  if (STEPS.includes(step)) return step as FailedStep
  if (FULL_CODES.includes(code)) return 'full'
  return CODEC_CODES.test(code) ? 'decode' : 'signalling'
}

/** An exception thrown while the offer or answer was handled by the browser. */
export function refusalOfException(error: unknown): Refusal {
  const detail = error instanceof Error ? error.message : String(error)
  const place = error instanceof DecodeUnsupportedError ? 'decode' : 'signalling'
  return { kind: 'failed', place, detail, retryAfterSeconds: null }
}

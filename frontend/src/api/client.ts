import { errorFromResponse } from './errors'
import { addressOf, get, getPages, patch, post, readList, remove, type BodyOf, type Part } from './calls'
import { request, send, setAccess, urlOf } from './http'
import type { BroadcastState, CommandArguments, CommandName, PictureKind, Voice } from './schema'

/** What the studio and the watch page ask of the API. */

export { hasAccess, renewSession, setOrganization, setSignedOutHandler } from './http'

// --- session ---

/** code: of an authenticator app or a recovery code, where the user has two-factor sign-in. */
export async function signIn(username: string, password: string, code = ''): Promise<void> {
  const device_name = navigator.userAgent.slice(0, 80)
  const body = { username, password, client: 'browser' as const, device_name, code }
  setAccess((await post('auth/token/', body)).access)
}

export const signOut = () => post('auth/logout/', undefined)

/** Forget the token in memory only, as after a reload. */
export function forgetAccess(): void {
  setAccess(null)
}

export const getMe = () => get('me/')

// --- shows and broadcasts ---

export const listShows = (pages = 1) => readList('shows/', pages)
export const getShow = (show_id: string) => get('shows/{show_id}/', { show_id })

type ShowChanges = BodyOf<'shows/{show_id}/', 'patch'>
// The generator takes what has a default for required; a PATCH may leave it out.
export const updateShow = (show_id: string, changes: Partial<ShowChanges>) =>
  patch('shows/{show_id}/', changes as ShowChanges, { show_id })

/** Of each show what it airs next, and what it missed. */
export const listNextAirings = () => getPages('airings/')

export const listOutputs = () => getPages('outputs/', { query: { page_size: 200 } })
/** `states`: those wanted, such as `['live', 'recovering']`. */
export const listBroadcasts = (states: readonly BroadcastState[], pages = 1) =>
  readList('broadcasts/', pages, { query: { state: [...states] } })

/** What the organization may use, and has used. */
export const getUsage = (organization_id: string) =>
  get('organizations/{organization_id}/usage/', { organization_id })

/** A new secret address for calendar programs; the one before opens nothing any more. */
export const renewCalendarAddress = (organization_id: string) =>
  post('organizations/{organization_id}/calendar/', undefined, { organization_id })

export const getBroadcast = (broadcast_id: string) =>
  get('broadcasts/{broadcast_id}/', { broadcast_id })

export const startShow = (show_id: string, idempotencyKey: string) =>
  post('shows/{show_id}/start/', undefined, { show_id }, { idempotencyKey })

const NEWEST = { query: { page_size: 200 }, pages: 1 }

export const listUtterances = (broadcast_id: string) =>
  getPages('broadcasts/{broadcast_id}/utterances/', { ids: { broadcast_id }, ...NEWEST })

export const listEvents = (broadcast_id: string) =>
  getPages('broadcasts/{broadcast_id}/events/', { ids: { broadcast_id }, ...NEWEST })

export function postCommand<N extends CommandName>(
  broadcast_id: string,
  name: N,
  args: CommandArguments[N],
  idempotencyKey: string,
): Promise<unknown> {
  const route = `broadcasts/{broadcast_id}/${name}/` as 'broadcasts/{broadcast_id}/say/'
  const body = args as BodyOf<typeof route, 'post'>
  return post(route, body, { broadcast_id }, { idempotencyKey })
}

export function switchOutput(broadcast_id: string, output_id: string, verb: 'start' | 'stop') {
  const route = `broadcasts/{broadcast_id}/outputs/{output_id}/${verb}/` as const
  return post(route, undefined, { broadcast_id, output_id })
}

export function replaceOutputKey(broadcast_id: string, output_id: string, stream_key: string) {
  const route = 'broadcasts/{broadcast_id}/outputs/{output_id}/replace-key/'
  return post(route, { stream_key }, { broadcast_id, output_id })
}

/** A small picture of what is on air now; empty until the first one is there. */
export async function getThumbnail(address: string): Promise<Blob> {
  const url = new URL(address, window.location.origin)
  url.searchParams.set('empty', 'true')
  const response = await send(url, { method: 'GET', headers: { Accept: 'image/*' } })
  if (!response.ok) throw await errorFromResponse(response)
  return response.blob()
}

// --- pictures and voices ---

export const listPictures = (kind: PictureKind) => 
  getPages('pictures/', { query: { kind, page_size: 200 } })
export const listVoices = (pages = 1): Promise<Part<Voice>> => readList('voices/', pages)
export const listPronunciations = (pages = 1) => readList('pronunciations/', pages)

/** A text in a voice, as WAV. */
export async function previewVoice(voice_id: string, text: string): Promise<Blob> {
  const body: BodyOf<'voices/{voice_id}/preview/', 'post'> = { text }
  const headers = { 'Content-Type': 'application/json', Accept: 'audio/wav, application/json' }
  const init = { method: 'POST', headers, body: JSON.stringify(body) }
  return (await request(addressOf('voices/{voice_id}/preview/', { voice_id }), init)).blob()
}

export const createPronunciation = (word: BodyOf<'pronunciations/', 'post'>, idempotencyKey: string) =>
  post('pronunciations/', word, undefined, { idempotencyKey })

export const updatePronunciation = (pronunciation_id: string, reading: string) =>
  patch('pronunciations/{pronunciation_id}/', { reading }, { pronunciation_id })

export const deletePronunciation = (pronunciation_id: string) =>
  remove('pronunciations/{pronunciation_id}/', { pronunciation_id })

// --- watching ---

export const createTicket = (purpose: 'console' | 'watch', broadcast: string) =>
  post('ws-tickets/', { purpose, broadcast })

export interface WhepAnswer {
  sdp: string
  /** Absolute URL of this viewer, for leaving; null where the server named none. */
  location: string | null
}

export async function postWhepOffer(broadcast: string, sdp: string): Promise<WhepAnswer> {
  const response = await request(`broadcasts/${broadcast}/whep/`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/sdp', Accept: 'application/sdp, application/json' },
    body: sdp,
  })
  // RFC 3986: Location may be relative to the request's own URL.
  const location = response.headers.get('Location')
  const absolute = location ? new URL(location, urlOf(`broadcasts/${broadcast}/whep/`)).href : null
  return { sdp: await response.text(), location: absolute }
}

/** Leave as a WHEP viewer; `keepalive` lets it go out while the page closes. */
export async function deleteWhepViewer(location: string): Promise<void> {
  await send(new URL(location), { method: 'DELETE', keepalive: true })
}

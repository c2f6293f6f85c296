import { ApiError, errorFromResponse, toApiError } from './errors'
import type {
  Broadcast,
  BroadcastEvent,
  BroadcastState,
  CalendarAddress,
  CommandArguments,
  CommandName,
  Me,
  Output,
  Page,
  Picture,
  Pronunciation,
  PronunciationDraft,
  Show,
  SignIn,
  Ticket,
  Usage,
  Utterance,
  Voice,
} from './schema'

/** The one place that speaks HTTP: signs requests, renews the session, reads the error form. */

const PREFIX = '/api/v1/'

interface Credentials {
  access: string | null
  organization: string | null
}

const credentials: Credentials = { access: null, organization: null }
let renewal: Promise<boolean> | null = null
let onSignedOut: () => void = () => undefined

export function setOrganization(id: string | null): void {
  credentials.organization = id
}

/** Called once when the server no longer accepts our session. */
export function setSignedOutHandler(handler: () => void): void {
  onSignedOut = handler
}

export function hasAccess(): boolean {
  return credentials.access !== null
}

function cookie(name: string): string | null {
  const found = document.cookie.split('; ').find((part) => part.startsWith(`${name}=`))
  return found ? decodeURIComponent(found.slice(name.length + 1)) : null
}

function headersFor(init: RequestInit): Headers {
  const headers = new Headers(init.headers)
  if (!headers.has('Accept')) headers.set('Accept', 'application/json')
  // Some refusals are said by the server: in the language of the page, not of the browser.
  headers.set('Accept-Language', document.documentElement.lang || 'en')
  if (credentials.access) headers.set('Authorization', `Bearer ${credentials.access}`)
  if (credentials.organization) headers.set('X-Organization', credentials.organization)
  const token = cookie('csrftoken')
  if (token && init.method && init.method !== 'GET') headers.set('X-CSRFToken', token)
  return headers
}

async function send(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { ...init, headers: headersFor(init), credentials: 'same-origin' })
  } catch (error) {
    throw toApiError(error)
  }
}

function urlOf(path: string, query: Record<string, string> = {}): URL {
  const url = new URL(PREFIX + path, window.location.origin)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url
}

/** Another request may have renewed the refused token already: then that one is used. */
async function hasNewerAccess(refused: string): Promise<boolean> {
  const isRenewed = credentials.access !== null && credentials.access !== refused
  return isRenewed || renewSession()
}

/** One request; an expired access token is renewed by the cookie and the request repeated once. */
async function request(path: string, init: RequestInit, query?: Record<string, string>) {
  const url = urlOf(path, query)
  const used = credentials.access
  let response = await send(url, init)
  if (response.status === 401 && used && !path.startsWith('auth/token/')) {
    if (await hasNewerAccess(used)) response = await send(url, init)
    else onSignedOut()
  }
  if (!response.ok) throw await errorFromResponse(response)
  return response
}

async function getJson<T>(path: string, query?: Record<string, string>): Promise<T> {
  return (await (await request(path, { method: 'GET' }, query)).json()) as T
}

/** `idempotencyKey`: the same for each repeat of one intent, so that nothing happens twice. */
async function postJson<T>(path: string, body: unknown, idempotencyKey?: string): Promise<T> {
  const headers: Record<string, string> = { 'Content-Type': 'application/json' }
  if (idempotencyKey) headers['Idempotency-Key'] = idempotencyKey
  const init = { method: 'POST', headers, body: JSON.stringify(body) }
  const response = await request(path, init)
  const text = await response.text()
  return (text ? JSON.parse(text) : null) as T
}

/** Up to `pages` pages of a cursor-paged list, in the server's order. */
async function getPages<T>(path: string, query: Record<string, string> = {}, pages = 5) {
  const results: T[] = []
  let page = await getJson<Page<T>>(path, query)
  results.push(...page.results)
  for (let count = 1; count < pages && page.next; count += 1) {
    const next = new URL(page.next, window.location.origin)
    page = await getJson<Page<T>>(path, Object.fromEntries(next.searchParams))
    results.push(...page.results)
  }
  return results
}

// --- session ---

/** code: of an authenticator app or a recovery code, where the user has two-factor sign-in. */
export async function signIn(username: string, password: string, code = ''): Promise<void> {
  const device_name = navigator.userAgent.slice(0, 80)
  const body = { username, password, client: 'browser', device_name, ...(code && { code }) }
  const answer = await postJson<SignIn>('auth/token/', body)
  credentials.access = answer.access
}

/** Renew the access token by the HttpOnly cookie; false when there is no valid session. */
export function renewSession(): Promise<boolean> {
  renewal ??= renewOnce().finally(() => {
    renewal = null
  })
  return renewal
}

async function renewOnce(): Promise<boolean> {
  credentials.access = null
  try {
    const answer = await postJson<SignIn>('auth/token/refresh/', {})
    credentials.access = answer.access
    return true
  } catch (error) {
    if (error instanceof ApiError && error.status >= 400 && error.status < 500) return false
    throw error
  }
}

export async function signOut(): Promise<void> {
  try {
    await postJson('auth/logout/', {})
  } finally {
    credentials.access = null
    credentials.organization = null
  }
}

/** Forget the token in memory only, as after a reload. */
export function forgetAccess(): void {
  credentials.access = null
}

export const getMe = () => getJson<Me>('me/')

// --- shows and broadcasts ---

export const listShows = () => getPages<Show>('shows/')
export const getShow = (id: string) => getJson<Show>(`shows/${id}/`)
export const listOutputs = () => getPages<Output>('outputs/')
/** `states`: those wanted, such as `['live', 'recovering']`. */
export function listBroadcasts(states: readonly BroadcastState[]): Promise<Broadcast[]> {
  return getPages<Broadcast>('broadcasts/', { state: states.join(',') })
}

/** What the organization may use, and has used. */
export const getUsage = (organization: string) => getJson<Usage>(`organizations/${organization}/usage/`)

/** A new secret address for calendar programs; the one before opens nothing any more. */
export const renewCalendarAddress = (organization: string) =>
  postJson<CalendarAddress>(`organizations/${organization}/calendar/`, {})

export const getBroadcast = (id: string) => getJson<Broadcast>(`broadcasts/${id}/`)

export function startShow(id: string, idempotencyKey: string): Promise<Broadcast> {
  return postJson<Broadcast>(`shows/${id}/start/`, {}, idempotencyKey)
}

export function listUtterances(broadcast: string): Promise<Utterance[]> {
  return getPages<Utterance>(`broadcasts/${broadcast}/utterances/`, { page_size: '200' }, 1)
}

export function listEvents(broadcast: string): Promise<BroadcastEvent[]> {
  return getPages<BroadcastEvent>(`broadcasts/${broadcast}/events/`, { page_size: '200' }, 1)
}

export function postCommand<N extends CommandName>(
  broadcast: string,
  name: N,
  args: CommandArguments[N],
  idempotencyKey: string,
): Promise<unknown> {
  return postJson(`broadcasts/${broadcast}/${name}/`, args, idempotencyKey)
}

export function switchOutput(broadcast: string, output: string, verb: 'start' | 'stop') {
  return postJson<unknown>(`broadcasts/${broadcast}/outputs/${output}/${verb}/`, {})
}

export function replaceOutputKey(broadcast: string, output: string, streamKey: string) {
  const body = { stream_key: streamKey }
  return postJson<unknown>(`broadcasts/${broadcast}/outputs/${output}/replace-key/`, body)
}

/** A small picture of what is on air now. */
export async function getThumbnail(address: string): Promise<Blob> {
  const url = new URL(address, window.location.origin)
  const response = await send(url, { method: 'GET', headers: { Accept: 'image/*' } })
  if (!response.ok) throw await errorFromResponse(response)
  return response.blob()
}

// --- pictures and voices ---

export const listPictures = (kind: string) => getPages<Picture>('pictures/', { kind })
export const listVoices = () => getPages<Voice>('voices/')
export const listPronunciations = () => getPages<Pronunciation>('pronunciations/', {}, 10)

/** A text in a voice, as WAV. */
export async function previewVoice(voice: string, text: string): Promise<Blob> {
  const headers = { 'Content-Type': 'application/json', Accept: 'audio/wav, application/json' }
  const init = { method: 'POST', headers, body: JSON.stringify({ text }) }
  return (await request(`voices/${voice}/preview/`, init)).blob()
}

export function createPronunciation(word: PronunciationDraft): Promise<Pronunciation> {
  return postJson<Pronunciation>('pronunciations/', word)
}

export async function updatePronunciation(id: string, reading: string): Promise<Pronunciation> {
  const headers = { 'Content-Type': 'application/json' }
  const init = { method: 'PATCH', headers, body: JSON.stringify({ reading }) }
  return (await (await request(`pronunciations/${id}/`, init)).json()) as Pronunciation
}

export async function deletePronunciation(id: string): Promise<void> {
  await request(`pronunciations/${id}/`, { method: 'DELETE' })
}

// --- watching ---

export function createTicket(purpose: 'console' | 'watch', broadcast: string): Promise<Ticket> {
  return postJson<Ticket>('ws-tickets/', { purpose, broadcast })
}

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

import { ApiError, errorFromResponse, toApiError } from './errors'

/** Signs requests, renews the session, reads the error form. What is asked: `calls.ts`. */

const PREFIX = '/api/v1/'
/** Our proxy gives up after 60 s. A network that was changed under an open page says nothing, ever. */
const ANSWER_DEADLINE_MS = 65_000

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

export function setAccess(token: string | null): void {
  credentials.access = token
}

/** Called whenever the server does not accept our session any more. */
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

function headersFor(init: RequestInit, access: string | null): Headers {
  const headers = new Headers(init.headers)
  if (!headers.has('Accept')) headers.set('Accept', 'application/json')
  // Some refusals are said by the server: in the language of the page, not of the browser.
  headers.set('Accept-Language', document.documentElement.lang || 'en')
  if (access) headers.set('Authorization', `Bearer ${access}`)
  if (credentials.organization) headers.set('X-Organization', credentials.organization)
  const token = cookie('csrftoken')
  if (token && init.method && init.method !== 'GET') headers.set('X-CSRFToken', token)
  return headers
}

/** One request as it is, signed with our token unless told. Throws ApiError `network` when nothing answered. */
export async function send(url: URL, init: RequestInit, access = credentials.access): Promise<Response> {
  // Not `AbortSignal.timeout`: phones of viewers are older than it. It holds for the body, too.
  const deadline = new AbortController()
  setTimeout(() => deadline.abort(), ANSWER_DEADLINE_MS)
  const { signal } = deadline
  try {
    return await fetch(url, { ...init, signal, headers: headersFor(init, access), credentials: 'same-origin' })
  } catch (error) {
    throw toApiError(error)
  }
}

export function urlOf(path: string, query: Record<string, string> = {}): URL {
  const url = new URL(PREFIX + path, window.location.origin)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url
}

/** The token to sign with: while it is renewed for another request, the new one. */
async function currentAccess(): Promise<string | null> {
  await renewal?.catch(() => undefined)
  return credentials.access
}

/** Another request may have renewed the refused token already: then that one is used. */
async function hasNewerAccess(refused: string): Promise<boolean> {
  const isRenewed = credentials.access !== null && credentials.access !== refused
  return isRenewed || renewSession()
}

/** One request; an expired access token is renewed by the cookie and the request repeated once. */
export async function request(
  path: string,
  init: RequestInit,
  query?: Record<string, string>,
): Promise<Response> {
  const url = urlOf(path, query)
  const used = await currentAccess()
  let response = await send(url, init)
  if (response.status === 401 && !path.startsWith('auth/token/')) {
    if (used && (await hasNewerAccess(used))) response = await send(url, init)
    else onSignedOut()
  }
  if (!response.ok) throw await errorFromResponse(response)
  return response
}

export interface UploadOptions {
  /** Share of the body that is sent, 0..1. */
  onProgress: (share: number) => void
  signal: AbortSignal
}

/** Post a form with files; as `request`, and tells how much of it is sent. */
export async function upload(path: string, form: FormData, options: UploadOptions): Promise<Response> {
  const used = await currentAccess()
  let response = await sendForm(urlOf(path), form, options)
  if (response.status === 401) {
    if (used && (await hasNewerAccess(used))) response = await sendForm(urlOf(path), form, options)
    else onSignedOut()
  }
  if (!response.ok) throw await errorFromResponse(response)
  return response
}

/** `fetch` does not tell how much it has sent. Throws ApiError `network` or `upload_cancelled`. */
function sendForm(url: URL, form: FormData, { onProgress, signal }: UploadOptions): Promise<Response> {
  return new Promise((resolve, reject) => {
    const sent = new XMLHttpRequest()
    const cancel = () => sent.abort()
    const refuse = (code: string) => reject(new ApiError({ code, message: '' }, 0))
    sent.open('POST', url)
    headersFor({ method: 'POST' }, credentials.access).forEach((value, name) => sent.setRequestHeader(name, value))
    sent.upload.addEventListener('progress', (event) => {
      // No length, or an empty body: there is nothing to tell.
      if (event.total > 0) onProgress(event.loaded / event.total)
    })
    sent.addEventListener('load', () => resolve(answerOf(sent)))
    sent.addEventListener('error', () => refuse('network'))
    sent.addEventListener('abort', () => refuse('upload_cancelled'))
    sent.addEventListener('loadend', () => signal.removeEventListener('abort', cancel))
    signal.addEventListener('abort', cancel)
    sent.send(form)
  })
}

function answerOf(sent: XMLHttpRequest): Response {
  const retryAfter = sent.getResponseHeader('Retry-After')
  const headers = new Headers(retryAfter ? { 'Retry-After': retryAfter } : {})
  return new Response(sent.responseText, { status: sent.status, headers })
}

/** Renew the access token by the HttpOnly cookie; false when there is no valid session. */
export function renewSession(): Promise<boolean> {
  renewal ??= renewOnce().finally(() => {
    renewal = null
  })
  return renewal
}

/** Throws ApiError where nobody knows: a server that is down or busy has ended no session. */
async function renewOnce(): Promise<boolean> {
  const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }
  const response = await send(urlOf('auth/token/refresh/'), init, null)
  const isRefused = response.status === 401 || response.status === 403
  if (!response.ok && !isRefused) throw await errorFromResponse(response)
  const access = isRefused ? null : ((await response.json()) as { access: string }).access
  credentials.access = isOfAnother(access) ? null : access
  return credentials.access !== null
}

/** Somebody else has signed in in another tab: the cookie is theirs, and this page must not act as them. */
function isOfAnother(access: string | null): boolean {
  const [before, now] = [userOf(credentials.access), userOf(access)]
  return before !== '' && now !== '' && before !== now
}

/** Whose a token is; empty where it does not say. */
function userOf(token: string | null): string {
  try {
    const claims = token?.split('.')[1]?.replace(/-/g, '+').replace(/_/g, '/') ?? ''
    return String((JSON.parse(atob(claims)) as { user_id?: string }).user_id ?? '')
  } catch {
    return ''
  }
}

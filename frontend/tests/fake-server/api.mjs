/** The REST half of the fake server. */
import { randomUUID } from 'node:crypto'

import { page } from './pages.mjs'
import { answerPresenters } from './presenters.mjs'
import { applyCommand } from './server.mjs'

const refuse = (status, code, message, details = []) => ({ status, body: { error: { code, message, details } } })
const VERBS = ['stop', 'say', 'interrupt', 'pause', 'resume', 'skip', 'take', 'expression', 'gesture', 'clip', 'record']

/** The page and this server are one place, but jsdom keeps the origin it began with for uploads. */
const OPEN = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Allow-Headers': 'accept, accept-language, authorization, content-type, x-csrftoken, x-organization',
}

/** Answer one request under /api/v1/, in the contract's error form where it is refused. */
export async function answerApi(state, request, response, text) {
  if (request.method === 'OPTIONS') return void response.writeHead(204, OPEN).end()
  const url = new URL(request.url, 'http://fake')
  const path = url.pathname.replace('/api/v1/', '')
  const isJson = String(request.headers['content-type'] ?? '').includes('json')
  const body = isJson && text ? JSON.parse(text) : text
  state.requests.push({ method: request.method, path, headers: request.headers, body })
  const override = await state.overrides.get(`${request.method} ${path}`)
  const answer = override ?? (await route(state, request, path, url, body))
  const headers = { 'Content-Type': 'application/json', ...OPEN, ...answer.headers }
  response.writeHead(answer.status ?? 200, headers)
  response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {}))
}

async function route(state, request, path, url, body) {
  if (path.startsWith('auth/')) return session(state, request, path, body)
  if (path === 'ws-tickets/') return ticket(state, body)
  if (/^broadcasts\/[^/]+\/whep\/$/.test(path)) return whep(state, path, body)
  if (!isSignedIn(state, request)) return refuse(401, 'not_authenticated', 'Sign in first.')
  if (path.endsWith('/thumbnail/')) return noPicture(url)
  const ofPresenters = answerPresenters(state, request.method, path, url)
  if (ofPresenters) return ofPresenters
  return lists(state, path, url) ?? speech(state, request, path, url, body) ?? objects(state, request, path, url, body) ?? verbs(state, path, body, request)
}

/** What the API says until the first picture has come. */
function noPicture(url) {
  if (url.searchParams.get('empty') === 'true') return { status: 204, body: '' }
  return refuse(404, 'not_found', 'There is no picture yet. Ask again in a few seconds.')
}

function isSignedIn(state, request) {
  return state.tokens.has(String(request.headers.authorization ?? '').replace('Bearer ', ''))
}

function grant(state) {
  const access = `access-${randomUUID()}`
  state.tokens.add(access)
  state.hasRefreshCookie = true
  return { body: { access, refresh: null, device: { id: randomUUID(), name: 'browser' } } }
}

function session(state, request, path, body) {
  const { user } = state.world
  if (path === 'auth/token/') {
    const isRight = body.username === user.username && body.password === user.password
    if (!isRight) return refuse(401, 'authentication_failed', 'Wrong name or password.')
    if (state.secondFactor && !body.code) return refuse(401, 'second_factor_required', 'Enter the code.')
    if (state.secondFactor && body.code !== state.secondFactor) return refuse(401, 'second_factor_invalid', 'Wrong code.')
    return grant(state)
  }
  if (path === 'auth/token/refresh/') {
    return state.hasRefreshCookie ? grant(state) : refuse(401, 'not_authenticated', 'Sign in first.')
  }
  state.hasRefreshCookie = false
  return { status: 200 }
}

function ticket(state, body) {
  const value = randomUUID()
  state.tickets.set(value, body)
  const broadcast = state.world.broadcast.id
  return { status: 201, body: { ticket: value, expires_in: 30, broadcast, ice_servers: [] } }
}

async function whep(state, path, offer) {
  if (!state.answerOffer) return { status: 201, headers: sdpHeaders(path), body: 'v=0\r\n' }
  return { status: 201, headers: sdpHeaders(path), body: await state.answerOffer(offer, randomUUID()) }
}

const sdpHeaders = (path) => ({ 'Content-Type': 'application/sdp', Location: `/api/v1/${path}viewer-1/` })

function lists(state, path, url) {
  const { world } = state
  if (path === 'me/') return { body: world.me }
  if (path === 'shows/') return { body: page(world.shows, url) }
  if (path === 'airings/') return { body: page(world.airings, url) }
  if (path === 'outputs/') return { body: page(world.outputs, url) }
  if (path === 'voices/') return { body: page(world.voices, url) }
  if (path === 'pictures/') return { body: page(world.pictures, url) }
  if (path === 'broadcasts/') {
    const wanted = (url.searchParams.get('state') ?? '').split(',')
    return { body: page([world.broadcast].filter((item) => wanted.includes(item.state)), url) }
  }
  return null
}

/** A RIFF header and nothing to hear. */
const WAV = `RIFF$\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x22\x56\0\0\x44\xac\0\0\x02\0\x10\0data\0\0\0\0`

function speech({ world }, { method }, path, url, body) {
  const [kind, id, rest] = path.split('/')
  if (kind === 'voices' && rest === 'preview') {
    return { headers: { 'Content-Type': 'audio/wav' }, body: WAV }
  }
  if (kind !== 'pronunciations') return null
  if (method === 'GET') return { body: page(world.words, url) }
  if (/\d{2}|[6-90]$/.test(body?.reading ?? '')) {
    const message = `${body.reading} is not pinyin. Write each syllable with its tone from 1 to 5, as in ni3 hao3.`
    return refuse(400, 'invalid', 'The request is not valid.', [{ field: 'reading', code: 'pinyin_malformed', message }])
  }
  const known = world.words.find((item) => item.id === id)
  if (method === 'POST') {
    world.words.unshift({ id: randomUUID(), ...body })
    return { status: 201, body: world.words[0] }
  }
  if (method === 'PATCH') return { body: Object.assign(known, body) }
  world.words = world.words.filter((item) => item !== known)
  return { status: 204, body: '' }
}

function objects(state, { method }, path, url, body) {
  const { world } = state
  const [kind, id, rest] = path.split('/')
  if (kind === 'shows' && !rest) {
    const show = world.shows.find((item) => item.id === id)
    if (show && method === 'PATCH') Object.assign(show, body)
    return show ? { body: show } : refuse(404, 'not_found', 'There is no such object.')
  }
  if (kind !== 'broadcasts') return null
  if (id !== world.broadcast.id) return refuse(404, 'not_found', 'There is no such object.')
  if (!rest) return { body: world.broadcast }
  if (rest === 'utterances') return { body: page([...world.utterances].reverse(), url) }
  if (rest === 'events') return { body: page([...world.events].reverse(), url) }
  return null
}

function verbs(state, path, body, request) {
  const { world } = state
  const [kind, id, verb, output, action] = path.split('/')
  if (kind === 'shows' && verb === 'start') {
    const isRunning = id === world.broadcast.show && world.broadcast.state === 'live'
    if (isRunning) return refuse(409, 'already_live', 'This show is on air already.')
    Object.assign(world.broadcast, { show: id, state: 'starting', first_frame_at: null })
    return { status: 201, body: world.broadcast }
  }
  if (verb === 'outputs') return switchOutput(world, output, action, body)
  if (!VERBS.includes(verb)) return refuse(404, 'not_found', 'There is no such address.')
  const entry = { via: 'http', id: request.headers['idempotency-key'], name: verb, args: body }
  state.commands.push(entry)
  return { status: 202, body: applyCommand(state, verb, body) }
}

function switchOutput(world, id, action, body) {
  const found = world.broadcast.outputs.find((item) => item.id === id)
  if (!found) return refuse(404, 'not_found', 'There is no such object.')
  if (action === 'replace-key' && body.stream_key.length < 4) {
    const details = [{ field: 'stream_key', code: 'invalid', message: 'This is not a stream key.' }]
    return refuse(400, 'invalid', 'The request is not valid.', details)
  }
  found.state = action === 'stop' ? 'stopped' : 'connecting'
  found.reason = ''
  return { status: 202, body: found }
}

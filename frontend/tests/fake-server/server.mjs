/** A stand-in for the backend: real HTTP and websockets in the shapes of the contract. */
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'

import { WebSocketServer } from 'ws'

import { answerApi } from './api.mjs'
import { serveFile } from './files.mjs'
import { IDS, createWorld } from './world.mjs'

export { IDS }

/**
 * @param {{ port?: number, distFolder?: string, answerOffer?: (sdp: string, viewer: string) => Promise<string> }} [options]
 *   distFolder: built pages to serve; answerOffer: makes the SDP answer of a real media peer.
 */
export async function createFakeServer(options = {}) {
  const state = {
    world: createWorld(),
    /** Every command that arrived, by either way. */
    commands: /** @type {{ via: string, id: string, name: string, args: any }[]} */ ([]),
    /** Every other message of a client. */
    messages: /** @type {any[]} */ ([]),
    requests: /** @type {{ method: string, path: string, headers: any, body: any }[]} */ ([]),
    tickets: new Map(),
    tokens: new Set(),
    hasRefreshCookie: false,
    /** The code that sign-in asks for; empty = none. */
    secondFactor: '',
    /** Answers that replace the usual ones: key `POST /api/v1/...` or `command:say`. */
    overrides: new Map(),
    /** What a watch socket says first; null = nothing. */
    watchGreeting: /** @type {any} */ ({ type: 'state', state: 'live', reason: '' }),
    refusesSockets: false,
    /** Of one replay; more is missed. */
    replayMaxEvents: 1000,
    consoles: new Set(),
    watchers: new Set(),
    answerOffer: options.answerOffer ?? null,
  }

  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString('utf8')
    if (request.url?.startsWith('/api/')) return void answerApi(state, request, response, body)
    serveFile(options.distFolder, request, response)
  })
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'livestudio.v1' })
  server.on('upgrade', (request, socket, head) => {
    const match = /^\/ws\/v1\/broadcasts\/([^/]+)\/(console|watch)\/$/.exec(request.url ?? '')
    const offered = String(request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/)
    const ticket = offered.find((item) => item.startsWith('ticket.'))?.slice(7) ?? ''
    const claims = state.tickets.get(ticket)
    state.tickets.delete(ticket)
    if (!match || state.refusesSockets) return socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    sockets.handleUpgrade(request, socket, head, (client) => {
      if (claims?.purpose !== match[2] || !offered.includes('livestudio.v1')) return client.close(4401)
      if (match[2] === 'console') attachConsole(state, client)
      else attachWatcher(state, client)
    })
  })

  await new Promise((resolve) => server.listen(options.port ?? 0, '127.0.0.1', () => resolve(undefined)))
  const address = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    origin: `http://127.0.0.1:${address.port}`,
    state,
    /** Send to every open console, and change nothing else. */
    push: (/** @type {any} */ message) => broadcastTo(state.consoles, message),
    pushWatch: (/** @type {any} */ message) => broadcastTo(state.watchers, message),
    dropConsoles: (code = 1011) => state.consoles.forEach((client) => client.close(code)),
    dropWatchers: (code = 1011) => state.watchers.forEach((client) => client.close(code)),
    close: () =>
      new Promise((resolve) => {
        for (const client of sockets.clients) client.terminate()
        server.closeAllConnections()
        server.close(() => resolve(undefined))
      }),
  }
}

function broadcastTo(clients, message) {
  for (const client of clients) client.send(JSON.stringify(message))
}

function attachConsole(state, client) {
  state.consoles.add(client)
  client.on('close', () => state.consoles.delete(client))
  const { world } = state
  const send = (message) => client.send(JSON.stringify(message))
  send({ type: 'welcome', version: 1, broadcast: world.broadcast, permissions: world.permissions })
  client.on('message', (text) => {
    const message = JSON.parse(String(text))
    if (message.type === 'replay') {
      state.messages.push(message)
      if (state.overrides.get('replay') === 'silent') return
      const missed = world.events.filter((item) => item.sequence > message.after_sequence)
      const told = missed.slice(0, state.replayMaxEvents)
      told.forEach((item) => send({ type: 'event', ...item }))
      const data = { last_sequence: told.at(-1)?.sequence ?? message.after_sequence, is_complete: told.length < state.replayMaxEvents }
      return send({ type: 'result', id: message.id ?? '', ok: true, data })
    }
    const { id, name, args } = message
    state.commands.push({ via: 'websocket', id, name, args })
    const override = state.overrides.get(`command:${name}`)
    if (override === 'silent') return
    send({ type: 'result', id, ...(override ?? { ok: true, data: applyCommand(state, name, args) }) })
  })
}

/** The visible effect of a verb, told to every console. */
export function applyCommand(state, name, args) {
  const { broadcast } = state.world
  const scripts = { pause: 'paused', resume: 'running', interrupt: 'held' }
  if (name in scripts) {
    broadcast.script = scripts[name]
    broadcastTo(state.consoles, { type: 'state', state: broadcast.state, reason: '', script: broadcast.script })
  }
  if (name === 'take') {
    broadcast.cursor = { ...broadcast.cursor, cue: args.cue, sentence: 0 }
    broadcastTo(state.consoles, { type: 'cursor', ...broadcast.cursor })
  }
  if (name === 'stop') {
    Object.assign(broadcast, { state: 'ended', ended_at: new Date().toISOString() })
    broadcastTo(state.consoles, { type: 'state', state: 'ended', reason: 'stopped by the operator' })
    broadcastTo(state.watchers, { type: 'state', state: 'ended', reason: '' })
  }
  return name === 'say' ? { utterance: queueLine(state, args) } : {}
}

function queueLine(state, args) {
  const utterance = {
    id: randomUUID(),
    source: 'operator',
    cue: null,
    sentence: null,
    loop: null,
    text: args.text,
    generation: 90 + state.world.utterances.length,
    state: 'queued',
    started_at: null,
    media_time_ms: null,
    played_ms: null,
    duration_ms: null,
  }
  state.world.utterances.push(utterance)
  broadcastTo(state.consoles, { type: 'utterance', ...utterance })
  return { id: utterance.id, state: 'queued' }
}

function attachWatcher(state, client) {
  const viewer = randomUUID()
  state.watchers.add(client)
  client.on('close', () => state.watchers.delete(client))
  const send = (message) => client.send(JSON.stringify(message))
  if (state.watchGreeting) send(state.watchGreeting)
  client.on('message', async (text) => {
    const message = JSON.parse(String(text))
    state.messages.push(message)
    if (message.type !== 'offer') return
    const override = state.overrides.get('offer')
    if (override === 'silent') return
    if (override) return send(override)
    if (state.answerOffer) send({ type: 'answer', sdp: await state.answerOffer(message.sdp, viewer) })
    else send({ type: 'answer', sdp: 'v=0\r\n' })
  })
}

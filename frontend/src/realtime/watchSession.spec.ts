import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { FakePeer, installFakePeer } from '../../tests/fakePeer'
import { IDS } from '../../tests/fake-server/server.mjs'
import { eventually, useFakeServer } from '../../tests/useFakeServer'

import { Backoff } from './backoff'
import { WatchSession, type WatchStatus } from './watchSession'

const server = useFakeServer()
let session: WatchSession
let seen: WatchStatus[]
const captions: string[] = []

const status = () => seen.at(-1) as WatchStatus
const messages = (type: string) => server.current.state.messages.filter((item) => item.type === type)
const states = () => seen.map((item) => item.state).filter((state, index, all) => state !== all[index - 1])

function start(retryMs = 60_000): void {
  const backoff = new Backoff({ firstMs: retryMs, maximumMs: retryMs, jitter: 0 })
  const handlers = {
    onStatus: (next: WatchStatus) => seen.push(next),
    onStream: vi.fn(),
    onCaption: (caption: { text: string }) => captions.push(caption.text),
  }
  session = new WatchSession(IDS.broadcast, handlers, backoff)
  void session.connect()
}

/** Frames flow from now on, as the browser's counters show it. */
async function goLive(): Promise<void> {
  await eventually(() => expect(FakePeer.last.remote).not.toBeNull())
  FakePeer.last.connect()
  FakePeer.last.isPlaying = true
  await eventually(() => expect(status().state).toBe('live'))
}

beforeEach(() => {
  installFakePeer()
  seen = []
  captions.length = 0
})
afterEach(() => {
  vi.useRealTimers()
  session.close()
  vi.unstubAllGlobals()
})

describe('WatchSession over the websocket', () => {
  it('offers to receive sound and H.264 picture, and is live when frames are decoded', async () => {
    start()

    await goLive()

    expect(messages('offer')).toEqual([{ type: 'offer', sdp: 'v=0 offer' }])
    const [audio, video] = FakePeer.last.transceivers
    expect([audio?.direction, video?.direction]).toEqual(['recvonly', 'recvonly'])
    expect(video?.codecs?.map((codec) => codec.mimeType)).toEqual(['video/H264', 'video/rtx'])
    expect(status().transport).toBe('websocket')
    expect(states()).toEqual(['connecting', 'live'])
  })

  it('leaves no viewer behind when the page is left while it makes its offer', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    let go = () => undefined as void
    FakePeer.offering = new Promise<void>((resolve) => (go = resolve))
    start(30)
    await eventually(() => expect(FakePeer.all).toHaveLength(1))

    session.close()
    go()
    await new Promise((resolve) => setImmediate(resolve))
    await vi.advanceTimersByTimeAsync(20_000)
    vi.useRealTimers()
    await new Promise((resolve) => setTimeout(resolve, 100))

    const tickets = server.current.state.requests.filter((item) => item.path === 'ws-tickets/')
    expect(tickets).toHaveLength(1)
  })

  it('exchanges candidates both ways', async () => {
    start()
    await eventually(() => expect(FakePeer.last.remote).not.toBeNull())

    FakePeer.last.onicecandidate?.({ candidate: { candidate: 'c1', sdpMid: '0', sdpMLineIndex: 0 } })
    server.current.pushWatch({ type: 'candidate', candidate: 'c2', sdpMid: '0', sdpMLineIndex: 0 })

    await eventually(() => expect(messages('candidate')).toHaveLength(1))
    await eventually(() => expect(FakePeer.last.candidates).toHaveLength(1))
    expect(FakePeer.last.candidates[0]).toMatchObject({ candidate: 'c2', sdpMid: '0' })
  })

  it('waits for a broadcast that starts, then connects by itself', async () => {
    server.current.state.watchGreeting = { type: 'state', state: 'starting', reason: '' }
    start()
    await eventually(() => expect(status().state).toBe('waiting'))
    expect(FakePeer.all).toHaveLength(0)

    server.current.pushWatch({ type: 'state', state: 'live', reason: '' })

    await goLive()
  })

  it('offers even when the server tells no state', async () => {
    server.current.state.watchGreeting = null
    start()

    await eventually(() => expect(messages('offer')).toHaveLength(1))
  })

  it('hands captions on', async () => {
    start()
    await goLive()

    server.current.pushWatch({ type: 'caption', utterance: 'u', text: '你好', start_ms: 0, end_ms: 900 })

    await eventually(() => expect(captions).toEqual(['你好']))
  })

  it('ends with the broadcast and lets the peer go', async () => {
    start()
    await goLive()

    server.current.pushWatch({ type: 'state', state: 'ended', reason: '' })

    await eventually(() => expect(status().state).toBe('ended'))
    expect(FakePeer.last.isClosed).toBe(true)
    expect(status().retryAtMs).toBeNull()
  })

  it('says connecting, not recovering, to whoever looks for a show that is over', async () => {
    start()
    await goLive()
    server.current.pushWatch({ type: 'state', state: 'ended', reason: '' })
    await eventually(() => expect(status().state).toBe('ended'))

    void session.connect()

    expect(status().state).toBe('connecting')
  })

  it('shows recovering and live again as the server tells it', async () => {
    start()
    await goLive()

    server.current.pushWatch({ type: 'state', state: 'recovering', reason: '' })
    await eventually(() => expect(status().state).toBe('recovering'))
    server.current.pushWatch({ type: 'state', state: 'live', reason: '' })

    await eventually(() => expect(status().state).toBe('live'))
  })

  it('keeps the picture while a lost websocket is renewed', async () => {
    start(30)
    await goLive()
    const [first] = FakePeer.all

    server.current.dropWatchers()
    await eventually(() => expect(FakePeer.all).toHaveLength(2))
    expect(first?.isClosed).toBe(false)
    await goLive()

    await eventually(() => expect(first?.isClosed).toBe(true))
    expect(states()).toEqual(['connecting', 'live'])
  })

  it('shows recovering when the picture stops after a lost websocket', async () => {
    start()
    await goLive()

    FakePeer.last.isPlaying = false
    server.current.dropWatchers()

    await eventually(() => expect(status().state).toBe('recovering'))
    expect(FakePeer.last.isClosed).toBe(true)
  })

  it('holds its candidates back until the server knows the viewer', async () => {
    server.current.state.overrides.set('offer', 'silent')
    start()
    await eventually(() => expect(messages('offer')).toHaveLength(1))
    FakePeer.last.onicecandidate?.({ candidate: { candidate: 'early', sdpMid: '0', sdpMLineIndex: 0 } })

    server.current.pushWatch({ type: 'answer', sdp: 'v=0' })

    await eventually(() => expect(messages('candidate')).toHaveLength(1))
    const types = server.current.state.messages.map((item) => item.type)
    expect(types).toEqual(['offer', 'candidate'])
  })

  it('goes on with sound alone when the runner gives the picture up', async () => {
    start()
    await goLive()
    FakePeer.last.isPlaying = false
    const talk = setInterval(() => (FakePeer.last.soundPackets += 50), 100)

    await eventually(() => expect(status().isSoundOnly).toBe(true))
    clearInterval(talk)

    expect(status().state).toBe('live')
    FakePeer.last.framesDecoded += 10
    await eventually(() => expect(status().isSoundOnly).toBe(false))
  })

  it('lets a single bad candidate pass', async () => {
    start()
    await goLive()

    server.current.pushWatch({ type: 'error', code: 'bad_candidate', message: 'x' })
    server.current.pushWatch({ type: 'caption', utterance: 'u', text: 'after', start_ms: 0, end_ms: 1 })

    await eventually(() => expect(captions).toEqual(['after']))
    expect(status().state).toBe('live')
  })
})

describe('WatchSession names the step that failed', () => {
  it('ICE, when no path is found', async () => {
    start()
    await eventually(() => expect(FakePeer.last.remote).not.toBeNull())

    FakePeer.last.setStates('failed', 'failed')

    expect(status()).toMatchObject({ state: 'failed', place: 'ice' })
    expect(status().retryAtMs).toBeGreaterThan(Date.now())
  })

  it('DTLS, when the path is there and the handshake fails', async () => {
    start()
    await eventually(() => expect(FakePeer.last.remote).not.toBeNull())

    FakePeer.last.setStates('connected', 'failed')

    expect(status()).toMatchObject({ state: 'failed', place: 'dtls' })
  })

  it('decode, when packets arrive for 3 s and no picture comes of them', async () => {
    start()
    await eventually(() => expect(FakePeer.last.remote).not.toBeNull())
    FakePeer.last.connect()
    const began = Date.now()
    FakePeer.last.packetsReceived = 400

    await eventually(() => expect(status()).toMatchObject({ state: 'failed', place: 'decode' }))

    expect(Date.now() - began).toBeGreaterThan(2_000)
  })

  it('decode, when the browser has no H.264', async () => {
    installFakePeer(['video/VP8'])
    start()

    await eventually(() => expect(status()).toMatchObject({ state: 'failed', place: 'decode' }))
  })

  it('signalling, when the answer cannot be read', async () => {
    server.current.state.overrides.set('offer', { type: 'answer', sdp: 'broken' })
    start()

    await eventually(() => expect(status()).toMatchObject({ state: 'failed', place: 'signalling' }))
    expect(status().detail).toContain('cannot parse')
  })

  it.each([
    ['ice', 'ice'],
    ['dtls_failed', 'dtls'],
    ['viewer_limit', 'full'],
    ['no_h264', 'decode'],
    ['anything', 'signalling'],
  ])('as the server says: %s', async (code, place) => {
    server.current.state.overrides.set('offer', { type: 'error', code, message: 'why' })
    start()

    await eventually(() => expect(status()).toMatchObject({ state: 'failed', place, detail: 'why' }))
  })

  it('the broadcast itself', async () => {
    server.current.state.watchGreeting = { type: 'state', state: 'failed', reason: 'the voice died' }
    start()

    await eventually(() => expect(status()).toMatchObject({ state: 'failed', place: 'broadcast' }))
    expect(status().detail).toBe('the voice died')
  })
})

describe('WatchSession without a websocket', () => {
  beforeEach(() => {
    server.current.state.refusesSockets = true
  })

  it('connects by WHEP with all candidates, and leaves when closed', async () => {
    start()

    await goLive()
    session.close()

    expect(status().transport).toBe('whep')
    const whep = server.current.state.requests.filter((item) => item.path.includes('/whep/'))
    expect(whep[0]).toMatchObject({ method: 'POST', body: 'v=0 offer' })
    const left = () => server.current.state.requests.some((item) => item.method === 'DELETE')
    await eventually(() => expect(left()).toBe(true))
  })

  it('waits when the broadcast is not live', async () => {
    const body = { error: { code: 'not_live', message: 'Not on air.' } }
    server.current.state.overrides.set(`POST broadcasts/${IDS.broadcast}/whep/`, { status: 409, body })
    start()

    await eventually(() => expect(status()).toMatchObject({ state: 'waiting', place: null }))
  })

  it('says that the house is full, and when it asks again', async () => {
    const body = { error: { code: 'viewer_limit', message: 'Full.' } }
    const answer = { status: 503, headers: { 'Retry-After': '90' }, body }
    server.current.state.overrides.set(`POST broadcasts/${IDS.broadcast}/whep/`, answer)
    start()

    await eventually(() => expect(status()).toMatchObject({ state: 'failed', place: 'full' }))
    expect(status().retryAtMs).toBeGreaterThan(Date.now() + 30_000)
  })
})

describe('WatchSession and the ticket', () => {
  it.each([
    [404, 'not_found'],
    [401, 'sign_in'],
    [409, 'waiting'],
  ])('HTTP %i means %s', async (httpStatus, state) => {
    const body = { error: { code: 'x', message: 'y' } }
    server.current.state.overrides.set('POST ws-tickets/', { status: httpStatus, body })
    start()

    await eventually(() => expect(status().state).toBe(state))
  })
})

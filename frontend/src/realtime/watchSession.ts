import { ApiError } from '@/api/errors'
import type { BroadcastState, Caption } from '@/api/schema'

import { Backoff } from './backoff'
import { FrameWatch } from './frameWatch'
import { ViewerPeer, type FailedStep } from './viewerPeer'
import {
  refusalOfApiError,
  refusalOfException,
  refusalOfWatchError,
  type FailurePlace,
  type Refusal,
} from './watchFailure'
import { SocketUnavailableError, WatchSocket } from './watchSocket'
import { connectByWhep, leaveWhep } from './whepPlayer'

export type WatchState =
  | 'waiting'
  | 'connecting'
  | 'live'
  | 'recovering'
  | 'ended'
  | 'failed'
  | 'not_found'
  | 'sign_in'

export interface WatchStatus {
  state: WatchState
  place: FailurePlace | null
  detail: string
  transport: 'websocket' | 'whep' | null
  /** Wall time of the next try in ms since 1970; null when none is planned. */
  retryAtMs: number | null
}

export interface WatchSessionHandlers {
  onStatus: (status: WatchStatus) => void
  onStream: (stream: MediaStream) => void
  onCaption: (caption: Caption) => void
}

const ANSWER_DEADLINE_MS = 8_000
/** A server that says nothing about the state right after opening is taken to be live. */
const STATE_DEADLINE_MS = 1_000
const WAITING_POLL_MS = 4_000
/** Failures in a row after which a page that was live says "failed" instead of "recovering". */
const QUIET_ATTEMPTS = 2

const ON_AIR: readonly BroadcastState[] = ['live', 'recovering', 'stopping']

/** Keeps one viewer connected to a broadcast: websocket first, WHEP else, with retries. */
export class WatchSession {
  private readonly id: string
  private readonly handlers: WatchSessionHandlers
  private readonly backoff: Backoff
  private status: WatchStatus = {
    state: 'connecting',
    place: null,
    detail: '',
    transport: null,
    retryAtMs: null,
  }
  private socket: WatchSocket | null = null
  private peer: ViewerPeer | null = null
  private frames: FrameWatch | null = null
  private viewerUrl: string | null = null
  private retryTimer: number | undefined
  private stepTimer: number | undefined
  /** Raised by each attempt: answers to an older one are ignored. */
  private attempt = 0
  private failures = 0
  private wasLive = false
  private isClosed = false

  constructor(id: string, handlers: WatchSessionHandlers, backoff = new Backoff()) {
    this.id = id
    this.handlers = handlers
    this.backoff = backoff
  }

  /** Begin, or try again now. */
  async connect(): Promise<void> {
    const attempt = this.beginAttempt()
    try {
      const socket = await WatchSocket.open(this.id, this.socketHandlers(attempt))
      if (attempt !== this.attempt) return socket.close()
      this.socket = socket
      this.report({ transport: 'websocket' })
      if (!this.peer) this.expectState(attempt)
    } catch (error) {
      if (attempt === this.attempt) await this.onOpenError(error, attempt)
    }
  }

  close(): void {
    this.isClosed = true
    this.attempt += 1
    window.clearTimeout(this.retryTimer)
    this.leave()
  }

  private beginAttempt(): number {
    this.attempt += 1
    window.clearTimeout(this.retryTimer)
    this.leave()
    const isShown = ['recovering', 'waiting'].includes(this.status.state)
    const state = this.wasLive ? 'recovering' : isShown ? this.status.state : 'connecting'
    this.report({ state, place: null, detail: '', retryAtMs: null })
    return this.attempt
  }

  private leave(): void {
    window.clearTimeout(this.stepTimer)
    this.frames?.stop()
    this.peer?.close()
    this.socket?.close()
    if (this.viewerUrl) leaveWhep(this.viewerUrl)
    this.frames = null
    this.peer = null
    this.socket = null
    this.viewerUrl = null
  }

  private socketHandlers(attempt: number) {
    const isCurrent = () => attempt === this.attempt && !this.isClosed
    return {
      onAnswer: (sdp: string) => isCurrent() && void this.accept(sdp, attempt),
      onCandidate: (candidate: RTCIceCandidateInit) =>
        isCurrent() && void this.peer?.addCandidate(candidate).catch(() => undefined),
      onState: (state: BroadcastState, reason: string) =>
        isCurrent() && this.onBroadcastState(state, reason, attempt),
      onCaption: (caption: Caption) => isCurrent() && this.handlers.onCaption(caption),
      onError: (error: Parameters<typeof refusalOfWatchError>[0]) =>
        isCurrent() && this.refuse(refusalOfWatchError(error)),
      onClose: (code: number) => isCurrent() && this.onSocketClosed(code),
    }
  }

  private expectState(attempt: number): void {
    window.clearTimeout(this.stepTimer)
    this.stepTimer = window.setTimeout(() => void this.offer(attempt), STATE_DEADLINE_MS)
  }

  private onBroadcastState(state: BroadcastState, reason: string, attempt: number): void {
    if (state === 'ended') return this.finish('ended', null, reason)
    if (state === 'failed') return this.finish('failed', 'broadcast', reason)
    if (state === 'starting') {
      window.clearTimeout(this.stepTimer)
      return this.report({ state: 'waiting', detail: reason })
    }
    if (state === 'recovering' && this.wasLive) this.report({ state: 'recovering' })
    if (state === 'live' && this.frames?.isFlowing) this.report({ state: 'live' })
    if (ON_AIR.includes(state) && !this.peer) void this.offer(attempt)
  }

  private finish(state: WatchState, place: FailurePlace | null, detail: string): void {
    this.attempt += 1
    this.leave()
    this.report({ state, place, detail, retryAtMs: null })
  }

  private createPeer(attempt: number, iceServers: RTCIceServer[]): ViewerPeer {
    const isCurrent = () => attempt === this.attempt
    const peer = new ViewerPeer(iceServers, {
      onCandidate: (candidate) => isCurrent() && this.socket?.sendCandidate(candidate),
      onStream: (stream) => isCurrent() && this.handlers.onStream(stream),
      onFailed: (step, detail) => isCurrent() && this.fail(step, detail),
    })
    this.peer = peer
    return peer
  }

  private async offer(attempt: number): Promise<void> {
    if (this.peer || attempt !== this.attempt || !this.socket) {
      // The state may arrive before `open` has returned the socket: come back in a moment.
      if (!this.peer && attempt === this.attempt) this.expectState(attempt)
      return
    }
    window.clearTimeout(this.stepTimer)
    if (this.status.state === 'waiting') this.report({ state: 'connecting', detail: '' })
    try {
      const peer = this.createPeer(attempt, this.socket.ticket.ice_servers ?? [])
      this.socket.sendOffer(await peer.createOffer())
      const late = () => this.fail('signalling', `no answer in ${ANSWER_DEADLINE_MS / 1000} s`)
      this.stepTimer = window.setTimeout(late, ANSWER_DEADLINE_MS)
    } catch (error) {
      if (attempt === this.attempt) this.refuse(refusalOfException(error))
    }
  }

  private async accept(sdp: string, attempt: number): Promise<void> {
    window.clearTimeout(this.stepTimer)
    try {
      await this.peer?.acceptAnswer(sdp)
      if (attempt === this.attempt) this.watchFrames(attempt)
    } catch (error) {
      if (attempt === this.attempt) this.refuse(refusalOfException(error))
    }
  }

  private watchFrames(attempt: number): void {
    const peer = this.peer
    if (!peer) return
    this.frames = new FrameWatch(() => peer.inboundCounts(), {
      onFlow: () => attempt === this.attempt && this.onFlow(),
      onStall: (hasPackets) => attempt === this.attempt && this.onStall(hasPackets, peer),
    })
  }

  private onFlow(): void {
    this.wasLive = true
    this.failures = 0
    this.backoff.reset()
    this.report({ state: 'live', place: null, detail: '', retryAtMs: null })
  }

  private onStall(hasPackets: boolean, peer: ViewerPeer): void {
    // While ICE or DTLS is still at work its own deadline names the step.
    if (!this.wasLive && !hasPackets && !peer.isConnected) return
    const detail = hasPackets ? 'packets arrive, no picture is decoded' : 'no packets arrive'
    this.fail('decode', detail)
  }

  private onSocketClosed(code: number): void {
    this.socket = null
    this.fail('signalling', `websocket closed (${code})`)
  }

  private async onOpenError(error: unknown, attempt: number): Promise<void> {
    if (error instanceof SocketUnavailableError) await this.connectOverHttp(error, attempt)
    else if (error instanceof ApiError) this.refuse(refusalOfApiError(error))
    else this.refuse(refusalOfException(error))
  }

  private async connectOverHttp(error: SocketUnavailableError, attempt: number): Promise<void> {
    this.report({ transport: 'whep' })
    try {
      const peer = this.createPeer(attempt, error.ticket.ice_servers ?? [])
      const viewerUrl = await connectByWhep(peer, error.broadcast)
      if (attempt !== this.attempt) return void (viewerUrl && leaveWhep(viewerUrl))
      this.viewerUrl = viewerUrl
      this.watchFrames(attempt)
    } catch (failure) {
      if (attempt !== this.attempt) return
      const isApi = failure instanceof ApiError
      this.refuse(isApi ? refusalOfApiError(failure) : refusalOfException(failure))
    }
  }

  private refuse(refusal: Refusal): void {
    if (refusal.kind === 'failed') {
      return this.fail(refusal.place, refusal.detail, refusal.retryAfterSeconds)
    }
    if (refusal.kind === 'waiting') return this.wait(refusal.retryAfterSeconds)
    this.finish(refusal.kind, null, '')
  }

  private wait(retryAfterSeconds: number | null): void {
    this.attempt += 1
    this.wasLive = false
    this.leave()
    this.report({ state: 'waiting', place: null, detail: '' })
    this.retryIn(Math.max(WAITING_POLL_MS, (retryAfterSeconds ?? 0) * 1000))
  }

  private fail(place: FailedStep | FailurePlace, detail: string, afterSeconds?: number | null) {
    this.attempt += 1
    this.failures += 1
    this.leave()
    const state = this.wasLive && this.failures <= QUIET_ATTEMPTS ? 'recovering' : 'failed'
    this.report({ state, place, detail })
    this.retryIn(Math.max(this.backoff.nextMs(), (afterSeconds ?? 0) * 1000))
  }

  private retryIn(delayMs: number): void {
    this.report({ retryAtMs: Date.now() + delayMs })
    this.retryTimer = window.setTimeout(() => void this.connect(), delayMs)
  }

  private report(change: Partial<WatchStatus>): void {
    if (this.isClosed) return
    this.status = { ...this.status, ...change }
    this.handlers.onStatus(this.status)
  }
}

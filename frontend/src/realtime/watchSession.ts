import { ApiError } from '@/api/errors'
import type { BroadcastState } from '@/api/schema'

import { Backoff } from './backoff'
import { FrameWatch, type Stall } from './frameWatch'
import { ViewerPeer, type FailedStep } from './viewerPeer'
import type { Caption } from './messages'
import {
  isHarmless,
  refusalOfApiError,
  refusalOfException,
  refusalOfWatchError,
  type FailurePlace,
  type Refusal,
} from './watchFailure'
import { SocketUnavailableError, WatchSocket, type WatchError } from './watchSocket'
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
  /** On air, but the picture was given up for a weak network. */
  isSoundOnly: boolean
}

export const FIRST_STATUS: WatchStatus = {
  state: 'connecting',
  place: null,
  detail: '',
  transport: null,
  retryAtMs: null,
  isSoundOnly: false,
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
  private status = FIRST_STATUS
  private socket: WatchSocket | null = null
  private peer: ViewerPeer | null = null
  private frames: FrameWatch | null = null
  private viewerUrl: string | null = null
  /** A picture that outlives its signalling, as while the web server restarts. */
  private previous: { peer: ViewerPeer; frames: FrameWatch } | null = null
  /** Own candidates found before the answer: the server knows the viewer only from then on. */
  private heldCandidates: RTCIceCandidate[] | null = null
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
    if (this.isClosed) return
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
    this.dropPrevious()
  }

  private beginAttempt(): number {
    this.attempt += 1
    window.clearTimeout(this.retryTimer)
    this.leave()
    const isWaiting = this.status.state === 'waiting'
    const state = this.wasLive ? 'recovering' : isWaiting ? 'waiting' : 'connecting'
    this.report({ state: this.previous ? 'live' : state, place: null, detail: '', retryAtMs: null })
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
      onError: (error: WatchError) =>
        isCurrent() && !isHarmless(error) && this.refuse(refusalOfWatchError(error)),
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
    this.wasLive = false
    this.leave()
    this.dropPrevious()
    this.report({ state, place, detail, retryAtMs: null })
  }

  private createPeer(attempt: number, iceServers: RTCIceServer[]): ViewerPeer {
    const isCurrent = () => attempt === this.attempt
    const peer = new ViewerPeer(iceServers, {
      onCandidate: (candidate) => isCurrent() && this.tellCandidate(candidate),
      onStream: (stream) => isCurrent() && this.handlers.onStream(stream),
      onFailed: (step, detail) => isCurrent() && this.fail(step, detail),
    })
    this.peer = peer
    return peer
  }

  private tellCandidate(candidate: RTCIceCandidate): void {
    if (this.heldCandidates) this.heldCandidates.push(candidate)
    else this.socket?.sendCandidate(candidate)
  }

  private releaseCandidates(): void {
    const held = this.heldCandidates ?? []
    this.heldCandidates = null
    held.forEach((candidate) => this.socket?.sendCandidate(candidate))
  }

  private async offer(attempt: number): Promise<void> {
    const { socket } = this
    if (this.peer || attempt !== this.attempt || !socket) {
      // The state may arrive before `open` has returned the socket: come back in a moment.
      if (!this.peer && attempt === this.attempt) this.expectState(attempt)
      return
    }
    window.clearTimeout(this.stepTimer)
    if (this.status.state === 'waiting') this.report({ state: 'connecting', detail: '' })
    try {
      this.heldCandidates = []
      const peer = this.createPeer(attempt, socket.ticket.ice_servers ?? [])
      const sdp = await peer.createOffer()
      if (attempt !== this.attempt) return
      socket.sendOffer(sdp)
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
      if (attempt !== this.attempt) return
      this.releaseCandidates()
      this.watchFrames(attempt)
    } catch (error) {
      if (attempt === this.attempt) this.refuse(refusalOfException(error))
    }
  }

  private watchFrames(attempt: number): void {
    const peer = this.peer
    if (!peer) return
    this.frames = new FrameWatch(() => peer.inboundCounts(), {
      onFlow: () => attempt === this.attempt && this.onFlow(),
      onStall: (stall) => attempt === this.attempt && this.onStall(stall, peer),
    })
  }

  private onFlow(): void {
    this.dropPrevious()
    this.wasLive = true
    this.failures = 0
    this.backoff.reset()
    this.report({ state: 'live', place: null, detail: '', retryAtMs: null, isSoundOnly: false })
  }

  private onStall({ hasPackets, hasSound }: Stall, peer: ViewerPeer): void {
    // The runner sends a viewer whose network is too weak for any picture the sound alone.
    if (this.wasLive && hasSound && !hasPackets) return this.report({ isSoundOnly: true })
    // While ICE or DTLS is still at work its own deadline names the step.
    if (!this.wasLive && !hasPackets && !peer.isConnected) return
    const detail = hasPackets ? 'packets arrive, no picture is decoded' : 'no packets arrive'
    this.fail('decode', detail)
  }

  private onSocketClosed(code: number): void {
    this.socket = null
    if (this.peer && this.frames?.isFlowing) this.keepPicture(this.peer, this.frames)
    else this.fail('signalling', `websocket closed (${code})`)
  }

  /** The media go from the runner to the page: they are shown until a new connection has its own. */
  private keepPicture(peer: ViewerPeer, frames: FrameWatch): void {
    this.dropPrevious()
    frames.stop()
    const lost = () => {
      this.dropPrevious()
      if (this.status.state === 'live') this.report({ state: 'recovering' })
    }
    const watch = new FrameWatch(() => peer.inboundCounts(), { onFlow: () => undefined, onStall: lost })
    this.previous = { peer, frames: watch }
    this.peer = null
    this.frames = null
    this.attempt += 1
    this.retryIn(this.backoff.nextMs())
  }

  private dropPrevious(): void {
    this.previous?.frames.stop()
    this.previous?.peer.close()
    this.previous = null
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
    this.dropPrevious()
    this.report({ state: 'waiting', place: null, detail: '' })
    this.retryIn(Math.max(WAITING_POLL_MS, (retryAfterSeconds ?? 0) * 1000))
  }

  private fail(place: FailedStep | FailurePlace, detail: string, afterSeconds?: number | null) {
    this.attempt += 1
    this.failures += 1
    this.report({ isSoundOnly: false })
    this.leave()
    const state = this.wasLive && this.failures <= QUIET_ATTEMPTS ? 'recovering' : 'failed'
    if (!this.previous) this.report({ state, place, detail })
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

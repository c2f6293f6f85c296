import type { BroadcastState, Ticket } from '@/api/schema'

import type { Caption, WatchMessage, WatchRequest } from './messages'
import { openTicketSocket, parseMessage } from './ticketSocket'

const OPEN_DEADLINE_MS = 5_000

export interface WatchError {
  code: string
  message: string
  retryAfterSeconds: number | null
}

export interface WatchSocketHandlers {
  onAnswer: (sdp: string) => void
  onCandidate: (candidate: RTCIceCandidateInit) => void
  onState: (state: BroadcastState, reason: string) => void
  onCaption: (caption: Caption) => void
  onError: (error: WatchError) => void
  onClose: (code: number) => void
}

/** The websocket did not open; WHEP over plain HTTP may still work. */
export class SocketUnavailableError extends Error {
  readonly code: number
  readonly ticket: Ticket
  readonly broadcast: string

  constructor(code: number, ticket: Ticket, broadcast: string) {
    super(`websocket closed with ${code}`)
    this.name = 'SocketUnavailableError'
    this.code = code
    this.ticket = ticket
    this.broadcast = broadcast
  }
}

/** A viewer's signalling link: offer and answer, candidates, the state of the show, captions. */
export class WatchSocket {
  readonly ticket: Ticket
  private readonly socket: WebSocket

  private constructor(socket: WebSocket, ticket: Ticket, handlers: WatchSocketHandlers) {
    this.socket = socket
    this.ticket = ticket
    socket.onmessage = (event) => dispatch(event.data, handlers)
    socket.onclose = (event) => handlers.onClose(event.code)
    socket.onerror = null
  }

  /** Resolves when open. Raises ApiError for a refused ticket, else SocketUnavailableError. */
  static async open(id: string, handlers: WatchSocketHandlers): Promise<WatchSocket> {
    const { socket, ticket, broadcast } = await openTicketSocket('watch', id)
    // Messages may follow the opening at once, so the handlers are set before it.
    const watch = new WatchSocket(socket, ticket, handlers)
    await new Promise<void>((resolve, reject) => {
      const fail = (code: number) => reject(new SocketUnavailableError(code, ticket, broadcast))
      const timer = window.setTimeout(() => watch.abandon(() => fail(0)), OPEN_DEADLINE_MS)
      socket.onopen = () => resolveOpened(timer, resolve)
      socket.onclose = (event) => {
        window.clearTimeout(timer)
        fail(event.code)
      }
    })
    socket.onclose = (event) => handlers.onClose(event.code)
    return watch
  }

  sendOffer(sdp: string): void {
    this.send({ type: 'offer', sdp })
  }

  sendCandidate(candidate: RTCIceCandidate): void {
    const { candidate: text, sdpMid, sdpMLineIndex } = candidate
    this.send({ type: 'candidate', candidate: text, sdpMid, sdpMLineIndex })
  }

  close(): void {
    this.send({ type: 'bye' })
    this.abandon(() => undefined)
  }

  private abandon(then: () => void): void {
    this.socket.onclose = null
    this.socket.onmessage = null
    this.socket.close()
    then()
  }

  private send(message: WatchRequest): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message))
  }
}

function resolveOpened(timer: number, resolve: () => void): void {
  window.clearTimeout(timer)
  resolve()
}

function dispatch(data: unknown, handlers: WatchSocketHandlers): void {
  const message = parseMessage<WatchMessage>(data)
  switch (message?.type) {
    case 'answer':
      return handlers.onAnswer(message.sdp)
    case 'candidate': {
      const { candidate, sdpMid, sdpMLineIndex } = message
      return handlers.onCandidate({ candidate, sdpMid, sdpMLineIndex })
    }
    case 'state':
      return handlers.onState(message.state, message.reason)
    case 'caption':
      return handlers.onCaption(message)
    case 'error': {
      const { code, message: text, retry_after_seconds = null } = message
      return handlers.onError({ code, message: text, retryAfterSeconds: retry_after_seconds })
    }
  }
}

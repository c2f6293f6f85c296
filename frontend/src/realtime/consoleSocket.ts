import { ApiError, toApiError } from '@/api/errors'
import type { CommandArguments, CommandName, ErrorBody } from '@/api/schema'

import { Backoff } from './backoff'
import type { ConsoleMessage, ConsoleRequest, ResultMessage } from './messages'
import {
  CLOSE_NOT_FOUND,
  CLOSE_ROLE,
  openTicketSocket,
  parseMessage,
} from './ticketSocket'

export type LinkState = 'connecting' | 'open' | 'waiting' | 'refused' | 'closed'

export interface ConsoleSocketHandlers {
  onMessage: (message: ConsoleMessage) => void
  /** `error`: why the link is not open, where it is known. */
  onLink: (state: LinkState, error: ApiError | null) => void
  /** Sequence of the last event the page holds; replay starts after it. */
  lastSequence: () => number
}

const COMMAND_DEADLINE_MS = 8_000

interface Pending {
  resolve: (data: unknown) => void
  reject: (error: ApiError) => void
  timer: number
}

const REFUSALS: Record<number, ErrorBody> = {
  [CLOSE_ROLE]: { code: 'forbidden', message: 'Your role may not use this console.' },
  [CLOSE_NOT_FOUND]: { code: 'not_found', message: 'There is no such broadcast.' },
}

function errorOf(result: ResultMessage): ApiError {
  return new ApiError(result.error ?? { code: 'command_failed', message: '' }, 409)
}

/** The operator's link to one broadcast: reconnects with jitter, replays events, runs commands. */
export class ConsoleSocket {
  private readonly broadcast: string
  private readonly handlers: ConsoleSocketHandlers
  private readonly backoff: Backoff
  private readonly pending = new Map<string, Pending>()
  private socket: WebSocket | null = null
  private timer: number | undefined
  private isClosed = false

  constructor(broadcast: string, handlers: ConsoleSocketHandlers, backoff = new Backoff()) {
    this.broadcast = broadcast
    this.handlers = handlers
    this.backoff = backoff
  }

  get isOpen(): boolean {
    return this.socket?.readyState === WebSocket.OPEN
  }

  async connect(): Promise<void> {
    this.handlers.onLink('connecting', null)
    try {
      const { socket } = await openTicketSocket('console', this.broadcast)
      if (this.isClosed) return socket.close()
      this.attach(socket)
    } catch (error) {
      this.onTicketRefused(toApiError(error))
    }
  }

  close(): void {
    this.isClosed = true
    window.clearTimeout(this.timer)
    this.socket?.close()
    this.failPending('closed')
    this.handlers.onLink('closed', null)
  }

  /** Send a command; resolves with the result's data, rejects with the server's error. */
  send<N extends CommandName>(id: string, name: N, args: CommandArguments[N]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.isOpen) return reject(new ApiError({ code: 'link_down', message: '' }, 0))
      const late = () => this.settle(id, (item) => item.reject(lateError()))
      const timer = window.setTimeout(late, COMMAND_DEADLINE_MS)
      this.pending.set(id, { resolve, reject, timer })
      if (this.socket) say(this.socket, { type: 'command', id, name, args })
    })
  }

  private attach(socket: WebSocket): void {
    this.socket = socket
    socket.onopen = () => this.onOpen(socket)
    socket.onmessage = (event) => this.onText(event.data)
    socket.onclose = (event) => this.onClose(event.code)
  }

  private onOpen(socket: WebSocket): void {
    this.backoff.reset()
    this.handlers.onLink('open', null)
    const after = this.handlers.lastSequence()
    say(socket, { type: 'replay', after_sequence: after })
  }

  private onText(text: unknown): void {
    const message = parseMessage<ConsoleMessage>(text)
    if (!message) return
    if (message.type === 'result') this.onResult(message)
    else this.handlers.onMessage(message)
  }

  private onResult(result: ResultMessage): void {
    this.settle(result.id, (item) =>
      result.ok ? item.resolve(result.data ?? null) : item.reject(errorOf(result)),
    )
  }

  private onClose(code: number): void {
    this.socket = null
    this.failPending('link_lost')
    if (this.isClosed) return
    const refusal = REFUSALS[code]
    if (refusal) this.handlers.onLink('refused', new ApiError(refusal, 0))
    else this.retry(null)
  }

  private onTicketRefused(error: ApiError): void {
    if (this.isClosed) return
    const isFinal = [401, 403, 404].includes(error.status)
    if (isFinal) this.handlers.onLink('refused', error)
    else this.retry(error)
  }

  private retry(error: ApiError | null): void {
    this.handlers.onLink('waiting', error)
    const asked = (error?.retryAfterSeconds ?? 0) * 1000
    const delay = Math.max(asked, this.backoff.nextMs())
    this.timer = window.setTimeout(() => void this.connect(), delay)
  }

  private settle(id: string, finish: (item: Pending) => void): void {
    const item = this.pending.get(id)
    if (!item) return
    window.clearTimeout(item.timer)
    this.pending.delete(id)
    finish(item)
  }

  private failPending(code: string): void {
    for (const id of [...this.pending.keys()]) {
      this.settle(id, (item) => item.reject(new ApiError({ code, message: '' }, 0)))
    }
  }
}

function say(socket: WebSocket, message: ConsoleRequest): void {
  socket.send(JSON.stringify(message))
}

function lateError(): ApiError {
  return new ApiError({ code: 'no_answer', message: '' }, 0)
}

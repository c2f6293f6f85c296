import { ApiError, toApiError } from '@/api/errors'
import { newId } from '@/api/ids'
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
  /** More was missed than a replay tells: what the page shows has to be loaded anew. */
  onGap: () => void
}

/** The server answers within 3 s, also where the runner does not: then nobody is there. */
const ANSWER_DEADLINE_MS = 8_000
/** On air something is told each second. A network that is gone tells nothing at all, not even that. */
const QUIET_MS = 10_000
const OPEN_DEADLINE_MS = 10_000
/** A link that lasted as long was no accident: only then is the next one tried at once. */
const STEADY_MS = 10_000

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
  private quietTimer: number | undefined
  private openedAtMs = 0
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
    this.letGo()
    this.failPending('closed')
    this.handlers.onLink('closed', null)
  }

  /** Send a command; resolves with the result's data, rejects with the server's error. */
  send<N extends CommandName>(id: string, name: N, args: CommandArguments[N]): Promise<unknown> {
    return this.ask(id, { type: 'command', id, name, args })
  }

  private ask(id: string, message: ConsoleRequest): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.socket || !this.isOpen) return reject(new ApiError({ code: 'link_down', message: '' }, 0))
      const timer = window.setTimeout(() => this.onNoAnswer(id), ANSWER_DEADLINE_MS)
      this.pending.set(id, { resolve, reject, timer })
      this.socket.send(JSON.stringify(message))
    })
  }

  private attach(socket: WebSocket): void {
    this.socket = socket
    this.timer = window.setTimeout(() => this.onLost(0), OPEN_DEADLINE_MS)
    socket.onopen = () => this.onOpen()
    socket.onmessage = (event) => this.onText(event.data)
    socket.onclose = (event) => this.onLost(event.code)
  }

  private onOpen(): void {
    window.clearTimeout(this.timer)
    this.openedAtMs = Date.now()
    this.handlers.onLink('open', null)
    void this.catchUp()
  }

  /** Ask for the events that the page lacks; the answer also tells that somebody is there. */
  private async catchUp(): Promise<void> {
    this.expectMore()
    const id = newId()
    const message = { type: 'replay', id, after_sequence: this.handlers.lastSequence() } as const
    const answer = await this.ask(id, message).catch(() => null)
    if ((answer as { is_complete?: boolean } | null)?.is_complete === false) this.handlers.onGap()
  }

  private expectMore(): void {
    window.clearTimeout(this.quietTimer)
    this.quietTimer = window.setTimeout(() => void this.catchUp(), QUIET_MS)
  }

  private onText(text: unknown): void {
    this.expectMore()
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

  private onNoAnswer(id: string): void {
    this.settle(id, (item) => item.reject(new ApiError({ code: 'no_answer', message: '' }, 0)))
    this.onLost(0)
  }

  /** Not waiting for the other side to agree: it may be out of reach. */
  private letGo(): void {
    window.clearTimeout(this.quietTimer)
    if (!this.socket) return
    this.socket.onopen = this.socket.onmessage = this.socket.onclose = null
    this.socket.close()
    this.socket = null
  }

  private onLost(code: number): void {
    window.clearTimeout(this.timer)
    this.letGo()
    this.failPending('link_lost')
    if (this.openedAtMs && Date.now() - this.openedAtMs > STEADY_MS) this.backoff.reset()
    this.openedAtMs = 0
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

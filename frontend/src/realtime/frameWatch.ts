import type { InboundCounts } from './viewerPeer'

/** What still arrived during a stall: tells a dead decoder, a dead network, a weak one apart. */
export interface Stall {
  hasPackets: boolean
  hasSound: boolean
}

export interface FrameWatchHandlers {
  /** The first picture, or the first after a stall. */
  onFlow: () => void
  /** No new picture for `STALL_MS`. */
  onStall: (stall: Stall) => void
}

export const STALL_MS = 3_000
const POLL_MS = 500
const NOTHING: InboundCounts = { framesDecoded: 0, packetsReceived: 0, soundPacketsReceived: 0 }

/** Watches that pictures are really decoded, by the browser's own counters. */
export class FrameWatch {
  private readonly counts: () => Promise<InboundCounts>
  private readonly handlers: FrameWatchHandlers
  private readonly timer: number
  private last: InboundCounts = NOTHING
  /** The counters when the picture was last seen to move. */
  private atFlow: InboundCounts = NOTHING
  private quietMs = 0
  private flowing = false

  constructor(counts: () => Promise<InboundCounts>, handlers: FrameWatchHandlers) {
    this.counts = counts
    this.handlers = handlers
    this.timer = window.setInterval(() => void this.poll(), POLL_MS)
  }

  get isFlowing(): boolean {
    return this.flowing
  }

  stop(): void {
    window.clearInterval(this.timer)
  }

  private async poll(): Promise<void> {
    const now = await this.counts()
    if (now.framesDecoded > this.last.framesDecoded) this.flow(now)
    else this.wait(now)
    this.last = now
  }

  private flow(now: InboundCounts): void {
    this.quietMs = 0
    this.atFlow = now
    if (this.flowing) return
    this.flowing = true
    this.handlers.onFlow()
  }

  private wait(now: InboundCounts): void {
    this.quietMs += POLL_MS
    if (this.quietMs < STALL_MS) return
    this.quietMs = 0
    this.flowing = false
    const hasPackets = now.packetsReceived > this.atFlow.packetsReceived
    const hasSound = now.soundPacketsReceived > this.atFlow.soundPacketsReceived
    this.atFlow = now
    this.handlers.onStall({ hasPackets, hasSound })
  }
}

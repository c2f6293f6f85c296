export interface BackoffOptions {
  firstMs: number
  maximumMs: number
  /** 0..1 of the delay that is random, so that many pages do not return at the same moment. */
  jitter: number
}

const DEFAULTS: BackoffOptions = { firstMs: 500, maximumMs: 15_000, jitter: 0.4 }

/** Delays that double from `firstMs` to `maximumMs`, each shortened by up to `jitter` of itself. */
export class Backoff {
  private attempts = 0
  private readonly options: BackoffOptions
  private readonly random: () => number

  constructor(options: Partial<BackoffOptions> = {}, random: () => number = Math.random) {
    this.options = { ...DEFAULTS, ...options }
    this.random = random
  }

  nextMs(): number {
    const { firstMs, maximumMs, jitter } = this.options
    const full = Math.min(maximumMs, firstMs * 2 ** this.attempts)
    this.attempts += 1
    return Math.round(full * (1 - jitter * this.random()))
  }

  reset(): void {
    this.attempts = 0
  }
}

import type { ErrorBody, ErrorDetail } from './schema'

/** A refusal of the server, or of the way to it, in a form every screen can show. */
export class ApiError extends Error {
  readonly code: string
  readonly status: number
  readonly details: ErrorDetail[]
  /** Seconds the server asks us to wait; null where it did not say. */
  readonly retryAfterSeconds: number | null

  constructor(body: ErrorBody, status: number, retryAfterSeconds: number | null = null) {
    super(body.message)
    this.name = 'ApiError'
    this.code = body.code
    this.status = status
    this.details = body.details ?? []
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** What is known of any thrown value; `network` when nothing answered at all. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  const message = error instanceof Error ? error.message : String(error)
  return new ApiError({ code: 'network', message }, 0)
}

/** Read the contract's error form; anything else still becomes an error with a code. */
export async function errorFromResponse(response: Response): Promise<ApiError> {
  const retryAfter = Number(response.headers.get('Retry-After') ?? Number.NaN)
  const seconds = Number.isFinite(retryAfter) ? retryAfter : null
  try {
    const body = (await response.json()) as { error?: ErrorBody }
    if (body.error?.code) return new ApiError(body.error, response.status, seconds)
  } catch {
    // A proxy's HTML page: the status says more than its body.
  }
  const fallback = { code: 'unexpected_answer', message: `HTTP ${response.status}` }
  return new ApiError(fallback, response.status, seconds)
}

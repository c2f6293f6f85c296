import { createTicket } from '@/api/client'
import type { Ticket } from '@/api/schema'

export const PROTOCOL = 'livestudio.v1'

/** Close codes of the contract. */
export const CLOSE_TICKET = 4401
export const CLOSE_ROLE = 4403
export const CLOSE_NOT_FOUND = 4404

export interface TicketSocket {
  socket: WebSocket
  ticket: Ticket
  /** The airing this socket belongs to, also when the page was opened with a show's id. */
  broadcast: string
}

function socketUrl(broadcast: string, purpose: string): string {
  const url = new URL(`/ws/v1/broadcasts/${broadcast}/${purpose}/`, window.location.origin)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}

/** Fetch a single-use ticket and begin to connect; the caller listens for open and close. */
export async function openTicketSocket(
  purpose: 'console' | 'watch',
  id: string,
): Promise<TicketSocket> {
  const ticket = await createTicket(purpose, id)
  const broadcast = ticket.broadcast ?? id
  const protocols = [PROTOCOL, `ticket.${ticket.ticket}`]
  return { socket: new WebSocket(socketUrl(broadcast, purpose), protocols), ticket, broadcast }
}

/** The message in a text of the server, or null when it is not one. `M`: those of this socket. */
export function parseMessage<M extends { type: string }>(data: unknown): M | null {
  if (typeof data !== 'string') return null
  try {
    const value: unknown = JSON.parse(data)
    const isMessage = typeof value === 'object' && value !== null && 'type' in value
    return isMessage ? (value as M) : null
  } catch {
    return null
  }
}

import { deleteWhepViewer, postWhepOffer } from '@/api/client'

import type { ViewerPeer } from './viewerPeer'

/** Connect a peer by one HTTP request; returns the viewer's URL for leaving, or null. */
export async function connectByWhep(peer: ViewerPeer, broadcast: string): Promise<string | null> {
  const offer = await peer.createOffer(true)
  const answer = await postWhepOffer(broadcast, offer)
  await peer.acceptAnswer(answer.sdp)
  return answer.location
}

export function leaveWhep(location: string): void {
  // The server reaps viewers that fall silent, so a failed farewell costs nothing.
  deleteWhepViewer(location).catch(() => undefined)
}

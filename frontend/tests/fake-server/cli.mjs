/**
 * The fake server by hand: `npm run fake-server -- [port]`, with the built pages and a broadcast
 * that runs. MEDIA_PYTHON names an interpreter with aiortc for a real picture, MEDIA_PICTURE an image.
 */
import { fileURLToPath } from 'node:url'

import { runDemo } from './demo.mjs'
import { startMediaPeer } from './mediaPeer.mjs'
import { IDS, createFakeServer } from './server.mjs'

const { MEDIA_PYTHON, MEDIA_PICTURE } = process.env
const peer = MEDIA_PYTHON ? startMediaPeer(MEDIA_PYTHON, MEDIA_PICTURE ? [MEDIA_PICTURE] : []) : null
const server = await createFakeServer({
  port: Number(process.argv[2] ?? 0),
  distFolder: fileURLToPath(new URL('../../dist', import.meta.url)),
  answerOffer: peer?.answerOffer,
})
const endDemo = runDemo(server)

console.log(JSON.stringify({ origin: server.origin, ids: IDS, ...server.state.world.user }))

async function leave() {
  endDemo()
  peer?.stop()
  await server.close()
}
process.once('SIGTERM', leave)
process.once('SIGINT', leave)

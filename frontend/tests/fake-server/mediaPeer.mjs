/** A real WebRTC sender beside the fake server: a child process that answers offers with media. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const SCRIPT = fileURLToPath(new URL('./media_peer.py', import.meta.url))

/** @param {string} python interpreter with aiortc; @param {string[]} args picture to show, if any */
export function startMediaPeer(python, args = []) {
  const child = spawn(python, [SCRIPT, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const waiting = new Map()
  createInterface({ input: child.stdout }).on('line', (line) => {
    const { id, sdp } = JSON.parse(line)
    waiting.get(id)?.(sdp)
    waiting.delete(id)
  })
  return {
    answerOffer: (sdp, id) =>
      new Promise((resolve) => {
        waiting.set(id, resolve)
        child.stdin.write(`${JSON.stringify({ id, sdp })}\n`)
      }),
    // End of its input is the peer's sign to leave.
    stop: () => child.stdin.end(),
  }
}

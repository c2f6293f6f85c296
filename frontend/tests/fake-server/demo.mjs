/** Lets the fake broadcast run: the script goes on, numbers move, captions come. */
import { metricsAt } from './world.mjs'

const SENTENCE_MS = 3200
const METRICS_MS = 400

/** Starts the run; returns the function that ends it. */
export function runDemo(server) {
  const { world } = server.state
  let step = 0
  const numbers = setInterval(() => {
    step += 1
    world.broadcast.metrics = metricsAt(step)
    if (world.broadcast.state === 'live') server.push({ type: 'metrics', metrics: world.broadcast.metrics })
  }, METRICS_MS)
  const speech = setInterval(() => nextSentence(server), SENTENCE_MS)
  return () => {
    clearInterval(numbers)
    clearInterval(speech)
  }
}

function change(server, utterance, fields) {
  Object.assign(utterance, fields)
  server.push({ type: 'utterance', ...utterance })
}

function nextSentence(server) {
  const { world } = server.state
  const { broadcast, utterances } = world
  if (broadcast.state !== 'live' || broadcast.script !== 'running') return
  const speaking = utterances.find((item) => item.state === 'speaking')
  if (speaking) change(server, speaking, { state: 'said', played_ms: 3100, duration_ms: 3100 })
  const queued = utterances.find((item) => item.state === 'queued')
  const started = new Date().toISOString()
  if (queued) change(server, queued, { state: 'speaking', started_at: started })
  const text = queued?.text ?? '喜欢就别犹豫！'
  const caption = { type: 'caption', utterance: queued?.id ?? '', text, start_ms: 0, end_ms: SENTENCE_MS }
  server.push(caption)
  server.pushWatch(caption)
  broadcast.cursor = { ...broadcast.cursor, sentence: (broadcast.cursor.sentence + 1) % 3 }
  server.push({ type: 'cursor', ...broadcast.cursor })
}

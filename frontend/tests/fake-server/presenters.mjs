/** Presenters, their versions and weights, as the fake server answers for them. */
import { randomUUID } from 'node:crypto'

import { page } from './pages.mjs'

const at = (seconds) => new Date(Date.now() - seconds * 1000).toISOString()

export const PRESENTERS = {
  drawn: 'a0a70000-0000-4000-8000-000000000001',
  filmed: 'a0a70000-0000-4000-8000-000000000002',
  photo: 'a0a70000-0000-4000-8000-000000000003',
}

function build(number, state, more = {}) {
  return {
    id: `b41d0000-0000-4000-8000-${String(number).padStart(12, '0')}`,
    number,
    state,
    is_current: false,
    progress: state === 'ready' ? 100 : 0,
    stage: '',
    reason: '',
    log: [{ at: at(300), stage: 'frames', message: '' }],
    facts: {},
    options: {},
    preview_url: state === 'ready' ? '/preview.mp4' : null,
    created_at: at(320),
    ended_at: null,
    ...more,
  }
}

const FACTS = { frames: 250, width_px: 1280, height_px: 720, seconds: 10 }
const TOO_DARK = 'The face is too dark. Turn on a light in front of it.'

function filmedBuilds() {
  return [
    build(3, 'building', {
      progress: 42,
      stage: 'masks',
      log: [
        { at: at(40), stage: 'frames', message: '' },
        { at: at(35), stage: 'frames', message: '250 pictures of 1280x720' },
        { at: at(20), stage: 'masks', message: '' },
      ],
    }),
    build(2, 'ready', { is_current: true, stage: 'done', facts: FACTS }),
    build(1, 'ready', { stage: 'done', facts: FACTS }),
  ]
}

export function createPresenters() {
  const blank = { settings: {}, consent: null, needs_consent: true, failure_reason: '', voice_gender: '', licences: [], preview_url: '/favicon.svg' }
  const failed = build(4, 'failed', { reason: TOO_DARK, stage: 'checks' })
  const builds = { [PRESENTERS.drawn]: [], [PRESENTERS.filmed]: filmedBuilds(), [PRESENTERS.photo]: [failed] }
  const presenters = [
    { ...blank, id: PRESENTERS.drawn, name: '小林', engine: 'puppet', state: 'ready', progress: 100, is_filmed: false, needs_consent: false },
    { ...blank, id: PRESENTERS.filmed, name: '陈美 Mei', engine: 'musetalk', state: 'ready', progress: 100, is_filmed: true, licences: ['© 星河直播'] },
    { ...blank, id: PRESENTERS.photo, name: 'Mr. Portrait', engine: 'portrait', state: 'failed', progress: 0, is_filmed: true, failure_reason: TOO_DARK },
  ]
  return { presenters, builds, weights: { [PRESENTERS.filmed]: MUSETALK }, modelServers: MODEL_SERVERS }
}

const MUSETALK_LICENCE =
  "the authors' README allows any purpose, also commercial; the model card says CreativeML OpenRAIL-M, which asks you to keep its use restrictions"

function network(name, needed_for, licence, files) {
  const found = files.map(([path, state, size_bytes]) => ({ path, state, size_bytes, licence, source: `https://example.org/${path}` }))
  return { name, needed_for, licence, is_ready: found.every((file) => file.state === 'present'), files: found }
}

const MUSETALK = {
  state: 'missing',
  message: '',
  networks: [
    network('MuseTalk 1.5 UNet', 'repainting the mouth, version v1.5', MUSETALK_LICENCE, [
      ['musetalkV15/musetalk.json', 'present', 748],
      ['musetalkV15/unet.pth', 'missing', 3_400_074_924],
    ]),
    network('Stable Diffusion VAE (ft-MSE)', 'preparing an avatar, and showing faces with the decoder `kl`', 'MIT', [
      ['sd-vae/config.json', 'present', 547],
      ['sd-vae/diffusion_pytorch_model.bin', 'present', 334_707_217],
    ]),
    network('Whisper tiny', 'hearing the sound that the mouth follows', 'MIT (code and weights of OpenAI); the model card says Apache-2.0', [
      ['whisper/tiny.pt', 'wrong_hash', 75_572_083],
    ]),
  ],
}

const GPU = { networks: 'musetalk v1.5 with the decoder kl', message: '', load_percent: 0, frame_ms: 0, room: 0, fits: 0 }
const MODEL_SERVERS = [
  { ...GPU, name: 'gpu-0', device: 'NVIDIA H100 80GB HBM3', state: 'ready', load_percent: 37, frame_ms: 2.25, room: 9, fits: 14 },
  { ...GPU, name: 'gpu-1', device: 'cuda:1', state: 'failed', message: 'TAESD decoder lacks weights. Put into `weights/` in the data folder: taesd/taesd_decoder.safetensors (https://example.org/taesd). Licence: MIT. See `manage.py weights`.' },
]

/** An avatar as it is told: its version in use and its newest build beside it. */
function told(world, presenter) {
  const builds = world.builds[presenter.id] ?? []
  const version = builds.find((item) => item.is_current)?.number ?? null
  return { ...presenter, version, newest_build: builds[0] ?? null }
}

/** The answer to one request below `avatars/` or `consents/`; null for any other. */
export function answerPresenters({ world }, method, path, url) {
  const [kind, id, rest, version, verb] = path.split('/')
  if (kind === 'consents') return { body: page(world.consents, url) }
  if (kind === 'model-servers') return { body: { servers: world.modelServers } }
  if (kind !== 'avatars') return null
  if (!id) return method === 'POST' ? upload(world) : { body: page(world.presenters.map((item) => told(world, item)), url) }
  const presenter = world.presenters.find((item) => item.id === id)
  if (!presenter) return { status: 404, body: { error: { code: 'not_found', message: 'There is no such object.', details: [] } } }
  if (rest === 'weights') return { body: world.weights[id] ?? { state: 'none', message: '', networks: [] } }
  if (rest !== 'builds') return { body: told(world, presenter) }
  return versions(world, id, { method, version, verb, url })
}

function upload(world) {
  const made = { ...world.presenters[0], id: randomUUID(), name: 'Uploaded', engine: 'portrait', state: 'building', progress: 0, is_filmed: true }
  world.presenters.push(made)
  world.builds[made.id] = [build(1, 'queued')]
  return { status: 201, body: told(world, made) }
}

function versions(world, id, { method, version, verb, url }) {
  const builds = world.builds[id]
  if (!version && method === 'GET') return { body: page(builds, url) }
  if (!version) {
    builds.unshift(build(builds.length + 1, 'queued'))
    return { status: 201, body: builds[0] }
  }
  const found = builds.find((item) => item.id === version)
  if (verb === 'cancel') Object.assign(found, { state: 'cancelled', progress: 0 })
  if (verb === 'retry') Object.assign(found, { state: 'queued', progress: 0, reason: '' })
  if (verb === 'use') for (const item of builds) item.is_current = item === found
  return { status: verb === 'use' ? 200 : 202, body: found }
}

/** What the fake server knows: one organization, its shows, outputs and one broadcast on air. */

import { createPresenters } from './presenters.mjs'

export const IDS = {
  organization: '0d6f8f0e-2f0a-4a53-9d0a-0f3f3c9a1001',
  broadcast: '5b8e2c9e-7a41-4f6d-8d11-2b6c0f4e2001',
  show: '7c1f4a52-3c55-4b8e-9a77-6a1d5e8b3001',
  secondShow: '7c1f4a52-3c55-4b8e-9a77-6a1d5e8b3002',
  picture: '91c70000-0000-4000-8000-000000000001',
  chineseVoice: 'b01ce000-0000-4000-8000-000000000001',
  englishVoice: 'b01ce000-0000-4000-8000-000000000002',
  emptyShow: '7c1f4a52-3c55-4b8e-9a77-6a1d5e8b3003',
}

/** A readable id: eight letters that tell the kind, then a number. */
const uuid = (kind, number) => `${kind}-0000-4000-8000-${String(number).padStart(12, '0')}`

function cue(position, text, more = {}) {
  return {
    id: uuid('c0de0000', position + 1),
    position,
    kind: 'speech',
    text,
    expression: 'neutral',
    gesture: 'none',
    emotion: 3,
    clip: null,
    pause_seconds: 0,
    card: null,
    ...more,
  }
}

const RUNDOWN = [
  cue(0, '[wave]晚上好，欢迎来到秋季新品专场！我是主播小岚。今晚的每一件，都是我亲手挑的。', {
    expression: 'happy',
    gesture: 'wave',
  }),
  cue(1, '先看这款羊毛大衣，双面呢面料，只有1.2公斤。肩线往后收了一点，显得人特别精神。原价1299元，今晚直播间799元！', {
    gesture: 'point_right',
    card: { title: '双面呢羊毛大衣', price: '¥799', picture: IDS.picture, text: '', url: '' },
  }),
  cue(2, '很多朋友问会不会起球。我们做过一万次摩擦测试，放心穿。', { expression: 'thinking' }),
  cue(3, '', { kind: 'pause', pause_seconds: 4 }),
  cue(4, '接下来这条围巾，配大衣刚刚好。想要的朋友，打在公屏上。', { expression: 'wink', gesture: 'heart' }),
  cue(5, 'For friends watching abroad: we ship to forty countries. Duties are included.', {}),
  cue(6, '最后三分钟，库存还有两百件。喜欢就别犹豫！', { expression: 'laugh' }),
]

const OUTPUTS = [
  { id: uuid('f00d0000', 1), name: '抖音', kind: 'rtmp', key_per_broadcast: true },
  { id: uuid('f00d0000', 2), name: 'Bilibili', kind: 'rtmp', key_per_broadcast: false },
  { id: uuid('f00d0000', 3), name: 'YouTube', kind: 'rtmp', key_per_broadcast: false },
  { id: uuid('f00d0000', 4), name: '本地录制', kind: 'file', key_per_broadcast: false },
]

function show(id, title, cues, more = {}) {
  return {
    id,
    title,
    avatar: 'a0a70000-0000-4000-8000-000000000001',
    voice: 'b01ce000-0000-4000-8000-000000000001',
    language: 'zh-CN',
    profile: 'hd',
    visibility: 'public',
    background: 'studio',
    cues,
    rundown_mode: 'loop',
    loop_pause_seconds: 2,
    outputs: OUTPUTS.map((item) => item.id),
    overlays: { captions: true, title: '', logo: null, label: { preset: 'standard', position: 'top_left' } },
    record: true,
    is_commercial: false,
    ...more,
  }
}

function broadcastOutput(index, state, more = {}) {
  const id = uuid('0b5e0000', index + 1)
  const numbers = { bitrate_kbps: 0, dropped: 0, reconnects: 0 }
  return { id, output: OUTPUTS[index].id, state, reason: '', ...numbers, ...more }
}

function utterance(number, state, text, more = {}) {
  return {
    id: uuid('e77e0000', number),
    source: 'script',
    cue: uuid('c0de0000', 1),
    sentence: 0,
    loop: 0,
    text,
    generation: number,
    state,
    started_at: new Date(Date.now() - (9 - number) * 5200).toISOString(),
    media_time_ms: number * 5200,
    played_ms: state === 'said' ? 4100 + number * 90 : null,
    duration_ms: state === 'queued' ? null : 4100 + number * 90,
    ...more,
  }
}

function transcript() {
  return [
    utterance(1, 'said', '晚上好，欢迎来到秋季新品专场！'),
    utterance(2, 'said', '我是主播小岚。'),
    utterance(3, 'interrupted', '今晚的每一件，都是我亲手挑的。', { played_ms: 1240, duration_ms: 3380 }),
    utterance(4, 'said', '欢迎新进来的朋友，右上角点个关注。', { source: 'operator' }),
    utterance(5, 'said', '今晚的每一件，都是我亲手挑的。'),
    utterance(6, 'said', '先看这款羊毛大衣，双面呢面料，只有1.2公斤。'),
    utterance(7, 'speaking', '肩线往后收了一点，显得人特别精神。', { duration_ms: null, played_ms: null }),
    utterance(8, 'queued', '原价1299元，今晚直播间799元！', { started_at: null }),
  ]
}

function events() {
  const at = (seconds) => new Date(Date.now() - seconds * 1000).toISOString()
  const list = [
    ['runner.started', { pid: 4121, lease_epoch: 1 }, 52],
    ['broadcast.first_frame', { media_time_ms: 0 }, 51],
    ['broadcast.state', { state: 'live', reason: '' }, 51],
    ['output', { id: 'x', name: 'Bilibili', state: 'live', reason: '' }, 49],
    ['output', { id: 'x', name: 'YouTube', state: 'retrying', reason: 'the server closed the connection' }, 30],
    ['script.state', { script: 'held', reason: 'interrupted by the operator' }, 27],
    ['script.state', { script: 'running', reason: '' }, 22],
  ]
  return list.map(([kind, data, ago], index) => ({ sequence: index + 1, kind, at: at(ago), data }))
}

/** The second show airs in two days at 20:00 in Shanghai and missed yesterday's airing. */
function airings() {
  const at = (days, more) => {
    const date = new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
    return { starts_at: `${date}T12:00:00.000Z`, starts_at_local: `${date}T20:00:00`, broadcast: null, ...more }
  }
  const next = at(2, { state: 'scheduled', reason: '' })
  const missed = at(-1, { state: 'missed', reason: 'The system was not running in time.' })
  return [{ show: IDS.secondShow, next, missed }]
}

function voices() {
  const blank = { engine: 'espeak', settings: {}, has_api_key: false, fallbacks: [], state: 'ready', failure_reason: '' }
  return [
    { ...blank, id: IDS.chineseVoice, name: '中文女声 · Chinese, female', language: 'zh-CN' },
    { ...blank, id: IDS.englishVoice, name: '英文女声 · English, female', language: 'en-US' },
  ]
}

function words() {
  const blank = { voice: null, language: 'zh-CN' }
  return [
    { ...blank, id: uuid('3ead0000', 1), text: '重庆', reading: 'chong2 qing4' },
    { ...blank, id: uuid('3ead0000', 2), text: '小岚', reading: 'xiao3 lan2', voice: IDS.chineseVoice },
    { ...blank, id: uuid('3ead0000', 3), text: 'nginx', reading: 'engine ex', language: 'en-US' },
  ]
}

const VIEW = ['show.view', 'broadcast.view', 'output.view', 'avatar.view', 'voice.view', 'recording.view', 'organization.view']
const STEER = [...VIEW, 'broadcast.start', 'broadcast.steer', 'broadcast.replace_key']
const PRODUCE = [...STEER, 'show.edit', 'output.edit', 'avatar.edit', 'voice.edit', 'recording.edit']

/** What each role may do. */
export const PERMISSIONS = {
  viewer: VIEW,
  operator: STEER,
  producer: PRODUCE,
  owner: [...PRODUCE, 'organization.manage', 'audit.view'],
}

/** A fresh world; tests change it in place. */
export function createWorld() {
  return {
    user: { username: 'alice', password: 'correct-horse' },
    me: {
      username: 'alice',
      is_staff: true,
      organizations: [{ id: IDS.organization, name: '星河直播 Galaxy Live', role: 'owner', permissions: PERMISSIONS.owner }],
    },
    permissions: PERMISSIONS.operator,
    shows: [
      show(IDS.show, '秋季新品专场', RUNDOWN),
      show(IDS.secondShow, 'Morning language class', RUNDOWN.slice(5), {
        language: 'en-US',
        rundown_mode: 'once',
        visibility: 'unlisted',
        outputs: [],
        schedule: {
          starts_at_local: '2026-01-01T20:00:00', timezone: 'Asia/Shanghai', rrule: 'FREQ=DAILY;INTERVAL=3',
          exdates: [], catch_up: 'skip',
        },
      }),
      show(IDS.emptyShow, '周末美食探店', RUNDOWN.slice(0, 3), { visibility: 'private', outputs: [OUTPUTS[1].id] }),
    ],
    airings: airings(),
    voices: voices(),
    words: words(),
    ...createPresenters(),
    consents: [
      { id: uuid('c0000000', 1), subject: '陈美', scope: 'face', shows: [], revoked_at: null, has_document: true },
      { id: uuid('c0000000', 2), subject: 'Gone', scope: 'face', shows: [], revoked_at: new Date().toISOString(), has_document: true },
    ],
    pictures: [{ id: IDS.picture, name: '大衣', kind: 'card', image_url: '/favicon.svg' }],
    outputs: OUTPUTS.map((item) => ({ ...item, url: 'rtmp://live.example/app', key_hint: '…7f3a' })),
    broadcast: {
      id: IDS.broadcast,
      show: IDS.show,
      title: '秋季新品专场',
      rundown: RUNDOWN,
      record: true,
      state: 'live',
      reason: '',
      started_at: new Date(Date.now() - 53_000).toISOString(),
      first_frame_at: new Date(Date.now() - 51_000).toISOString(),
      ended_at: null,
      cursor: { cue: RUNDOWN[1].id, sentence: 1, loop: 0 },
      script: 'running',
      outputs: [
        broadcastOutput(0, 'waiting_for_key', { reason: "Paste today's stream key." }),
        broadcastOutput(1, 'live', { bitrate_kbps: 2514 }),
        broadcastOutput(2, 'retrying', { reason: 'the server closed the connection', dropped: 61, reconnects: 3 }),
        broadcastOutput(3, 'live', { bitrate_kbps: 2498 }),
      ],
      metrics: metricsAt(0),
      thumbnail_url: null,
      watch_url: `/watch/${IDS.broadcast}/`,
      runner: { pid: 4121, lease_epoch: 1, workers: [{ kind: 'speech', pid: 4130 }, { kind: 'face', pid: 4131 }] },
    },
    utterances: transcript(),
    events: events(),
  }
}

/** Plausible live numbers at step `n`. */
export function metricsAt(n) {
  const wave = (period, size) => Math.sin(n / period) * size + Math.sin(n / (period * 0.37)) * size * 0.4
  return {
    fps: 25 + wave(7, 0.15),
    held: 2 + Math.floor(n / 30),
    dropped: Math.floor(n / 55),
    encode_ms: 6.8 + wave(5, 1.6),
    skew_ms: 4 + wave(9, 5),
    first_audio_ms: 42 + wave(11, 9),
    interrupt_ms: 63 + wave(13, 8),
    viewers: 7 + Math.round(wave(12, 3)),
    memory_mib: { core: 118 + n * 0.01, speech: 64, face: 131 },
  }
}

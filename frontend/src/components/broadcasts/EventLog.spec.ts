import { describe, expect, it } from 'vitest'

import { i18n } from '@/i18n'

import { mountApp } from '../../../tests/mount'

import EventLog from './EventLog.vue'

const at = '2026-11-20T10:00:00Z'
const EVENTS = [
  { sequence: 1, kind: 'runner.started', at, data: { pid: 1, lease_epoch: 1 } },
  { sequence: 2, kind: 'output', at, data: { id: 'o1', state: 'retrying', reason: 'the output process died' } },
  { sequence: 3, kind: 'cursor', at, data: { cue: 'c' } },
  { sequence: 4, kind: 'output', at, data: { id: 'o1', state: 'retrying', reason: 'the output process died' } },
  { sequence: 5, kind: 'utterance', at, data: { text: 't' } },
  { sequence: 6, kind: 'worker', at, data: { kind: 'speech', state: 'died', reason: 'exit status 1' } },
  { sequence: 7, kind: 'clock.rebased', at, data: { gap_ms: 1540 } },
  { sequence: 8, kind: 'brand.new', at, data: { state: 'odd' } },
  { sequence: 9, kind: 'speech.made', at, data: { engine: 'edge', characters: 12 } },
  { sequence: 10, kind: 'quota.warning', at, data: { meter: 'broadcast_minutes', used: 48, limit: 60, resets_at: at } },
  { sequence: 11, kind: 'quota.reached', at, data: { meter: 'storage_bytes', used: 2147483648, limit: 2147483648, resets_at: null } },
]

const mountLog = () => mountApp(EventLog, { props: { events: EVENTS, names: { o1: 'Bilibili' } } }).wrapper

describe('EventLog', () => {
  it('tells what happened in sentences, newest first, repetitions once', () => {
    const rows = mountLog().findAll('li p').map((row) => row.text())

    expect(rows).toEqual([
      'The storage is full: 2 GB of 2 GB. Recording stops',
      'Broadcast minutes of the day are running out: 48 of 60',
      'brand_new.odd',
      'The machine stood still for 1.5 s',
      "The voice's process died and is replacedexit status 1",
      'Bilibili lost its connection and tries again ×2the output process died',
      "The presenter's process started",
    ])
  })

  it('gives reasons in the language of the page', async () => {
    const wrapper = mountLog()

    i18n.global.locale.value = 'zh-CN'
    await wrapper.vm.$nextTick()

    expect(wrapper.text()).toContain('输出进程意外退出')
    expect(wrapper.text()).toContain('Bilibili 连接中断，正在重试')
  })
})

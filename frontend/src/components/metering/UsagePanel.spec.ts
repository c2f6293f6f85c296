import { beforeEach, describe, expect, it } from 'vitest'

import { signIn } from '@/api/client'
import { i18n } from '@/i18n'

import { mountApp } from '../../../tests/mount'
import { eventually, useFakeServer } from '../../../tests/useFakeServer'

import UsagePanel from './UsagePanel.vue'

const server = useFakeServer()
beforeEach(() => signIn('alice', 'correct-horse'))

const meter = (name: string, limit: number | null, used: number, resets_at: string | null = null) => ({
  meter: name,
  period: resets_at ? 'day' : 'now',
  limit,
  used,
  reserved: 0,
  remaining: limit === null ? null : Math.max(0, limit - used),
  resets_at,
  is_low: limit !== null && used >= 0.8 * limit,
  is_reached: limit !== null && used >= limit,
})

function mountPanel(...meters: ReturnType<typeof meter>[]) {
  const body = { plan: 'Small', timezone: 'UTC', from: '2026-11-01', to: '2026-11-21', meters, days: [] }
  server.current.state.overrides.set('GET organizations/o1/usage/', { status: 200, body })
  return mountApp(UsagePanel, { props: { organization: 'o1' } }).wrapper
}

describe('UsagePanel', () => {
  it('shows what a plan limits, with what is used up standing out', async () => {
    const wrapper = mountPanel(
      meter('broadcast_minutes', 60, 60, '2026-11-22T00:00:00Z'),
      meter('storage_bytes', 53_687_091_200, 1536),
      meter('tts_characters', null, 12),
      meter('llm_tokens', 1000, 850),
    )

    await eventually(() => expect(wrapper.findAll('li')).toHaveLength(3))
    const [minutes, storage, tokens] = wrapper.findAll('li')
    expect(minutes?.classes()).toContain('reached')
    expect(minutes?.text()).toMatch(/Broadcast minutes today.*60 \/ 60.*Starts anew at \d\d:\d\d:\d\d/s)
    expect(storage?.text()).toContain('1.5 kB / 50 GB')
    expect(tokens?.classes()).toContain('low')
    expect(tokens?.text()).toMatch(/Language model tokens today.*850 \/ 1,000/s)
    i18n.global.locale.value = 'zh-CN'
    await wrapper.vm.$nextTick()
    expect(wrapper.text()).toContain('今日开播分钟数')
  })

  it('is not there when nothing is limited, or nothing can be read', async () => {
    const free = mountPanel(meter('voices', null, 4))
    await eventually(() => expect(server.current.state.requests.some((item) => item.path.endsWith('/usage/'))).toBe(true))
    expect(free.find('[data-testid=usage]').exists()).toBe(false)

    server.current.state.overrides.clear()
    const broken = mountApp(UsagePanel, { props: { organization: 'o2' } }).wrapper
    await eventually(() => expect(server.current.state.requests.at(-1)?.path).toContain('o2'))
    expect(broken.find('[data-testid=usage]').exists()).toBe(false)
  })
})

import { describe, expect, it } from 'vitest'

import type { Cue } from '@/api/schema'

import { mountApp } from '../../../tests/mount'

import RundownPanel from './RundownPanel.vue'

const blank = { kind: 'speech', expression: 'neutral', gesture: 'none', emotion: 3, clip: null, pause_seconds: 0, card: null } as const
const cues: Cue[] = [
  { ...blank, id: 'b', position: 1, text: '第一句。第二句！第三句。' },
  { ...blank, id: 'a', position: 0, text: '[wave]开场白。' },
  { ...blank, id: 'c', position: 2, text: '', kind: 'pause', pause_seconds: 4 },
]

function mountPanel(props: Record<string, unknown> = {}) {
  const cursor = { cue: 'b', sentence: 1, loop: 2 }
  const all = { cues, cursor, script: 'running', isLoop: true, canTake: true, ...props }
  return mountApp(RundownPanel, { props: all }).wrapper
}

const statuses = (panel: ReturnType<typeof mountPanel>) =>
  panel.findAll('li').map((row) => row.attributes('data-status'))

describe('RundownPanel', () => {
  it('lists cues by position and marks done, current and ahead', () => {
    const panel = mountPanel()

    expect(statuses(panel)).toEqual(['done', 'current', 'ahead'])
    expect(panel.get('[data-testid=cue-2]').attributes('aria-current')).toBe('step')
  })

  it('highlights the sentence under the cursor', () => {
    const current = mountPanel().get('[data-testid=cue-2]')

    expect(current.get('.is-now').text()).toBe('第二句！')
    expect(current.get('.is-past').text()).toBe('第一句。')
    expect(current.text()).toContain('2/3')
    expect(Number(current.get('rect.done').attributes('width'))).toBeCloseTo(100 / 3)
  })

  it('shows stage marks in words and the loop it is in', () => {
    const panel = mountPanel()

    expect(panel.get('[data-testid=cue-1] .mark').text()).toBe('Wave')
    expect(panel.text()).toContain('Pause for 4 s')
    expect(panel.text()).toContain('Loop 3')
  })

  it('takes a cue', async () => {
    const panel = mountPanel()

    await panel.get('[data-testid=take-3]').trigger('click')

    expect(panel.emitted('take')).toEqual([['c']])
  })

  it('has every cue done when the script is finished', () => {
    expect(statuses(mountPanel({ script: 'finished' }))).toEqual(['done', 'done', 'done'])
  })

  it('has nothing to take for a viewer, and says so when it is empty', () => {
    expect(mountPanel({ canTake: false }).find('[data-testid=take-1]').exists()).toBe(false)
    expect(mountPanel({ cues: [] }).text()).toContain('No rundown yet')
  })
})

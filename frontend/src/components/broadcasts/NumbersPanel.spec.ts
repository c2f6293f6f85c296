import { describe, expect, it } from 'vitest'

import { extendSeries } from '@/stores/metricSeries'

import { mountApp } from '../../../tests/mount'

import NumbersPanel from './NumbersPanel.vue'

const tile = (metrics: Record<string, unknown>, key: string) => {
  const { wrapper } = mountApp(NumbersPanel, { props: { metrics, series: {} } })
  return wrapper.get(`[data-testid=metric-${key}]`)
}

describe('NumbersPanel', () => {
  it('shows a number with its unit', () => {
    expect(tile({ fps: 24.96 }, 'fps').get('dd').text()).toBe('25fps')
  })

  it('shows a dash for what the runner does not report', () => {
    expect(tile({}, 'viewers').get('dd').text()).toBe('–')
  })

  it('adds memory up over processes', () => {
    expect(tile({ memory_mib: { core: 118, face: 131.4 } }, 'memory').get('dd').text()).toBe('249MiB')
  })

  it.each([
    [{ skew_ms: -41 }, 'skew', true],
    [{ skew_ms: 12 }, 'skew', false],
    [{ encode_ms: 31 }, 'encode', true],
  ])('warns by the limits of each number: %j', (metrics, key, isWarning) => {
    expect(tile(metrics, key).classes('is-warning')).toBe(isWarning)
  })

  it('draws a line from the second report on', () => {
    const first = extendSeries({}, { fps: 25 })
    const series = extendSeries(first, { fps: 24 })
    const { wrapper } = mountApp(NumbersPanel, { props: { metrics: { fps: 24 }, series } })

    expect(wrapper.get('[data-testid=metric-fps] polyline').attributes('points')).toBe('0.0,2.0 100.0,22.0')
    expect(wrapper.find('[data-testid=metric-held] polyline').exists()).toBe(false)
  })

  it('keeps the newest ninety values', () => {
    let series = {}
    for (let value = 0; value < 120; value += 1) series = extendSeries(series, { fps: value })

    expect((series as { fps: number[] }).fps).toHaveLength(90)
    expect((series as { fps: number[] }).fps.at(-1)).toBe(119)
  })
})

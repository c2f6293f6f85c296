import { describe, expect, it } from 'vitest'

import { mountApp } from '../../../tests/mount'
import { eventually } from '../../../tests/useFakeServer'

import MoreButton from './MoreButton.vue'

function mountMore(load: () => Promise<void>) {
  return mountApp(MoreButton, { props: { hasMore: true, count: 100, load } }).wrapper
}

describe('MoreButton', () => {
  it('is not there where a list has ended by itself', () => {
    const { wrapper } = mountApp(MoreButton, { props: { hasMore: false, count: 3, load: async () => undefined } })

    expect(wrapper.text()).toBe('')
  })

  it('says how many are there and keeps the place of the keyboard when it goes', async () => {
    const more = mountMore(async () => await more.setProps({ hasMore: false, count: 130 }))

    await more.get('button').trigger('click')

    await eventually(() => expect(more.find('button').exists()).toBe(false))
    const status = more.get('[role=status]')
    expect(status.text()).toBe('All 130 are shown.')
    await eventually(() => expect(document.activeElement).toBe(status.element))
  })

  it('asks once while an answer is on its way', async () => {
    let asked = 0
    let answer = () => undefined as void
    const more = mountMore(() => {
      asked += 1
      return new Promise((resolve) => (answer = resolve))
    })

    await more.get('button').trigger('click')
    await more.get('button').trigger('click')
    answer()

    expect(asked).toBe(1)
    await eventually(() => expect(more.get('button').text()).toBe('Show more'))
  })
})

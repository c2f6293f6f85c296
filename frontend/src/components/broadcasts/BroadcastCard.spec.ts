import { beforeEach, describe, expect, it } from 'vitest'

import { signIn } from '@/api/client'
import type { Broadcast } from '@/api/schema'

import { mountApp } from '../../../tests/mount'
import { eventually, useFakeServer } from '../../../tests/useFakeServer'

import BroadcastCard from './BroadcastCard.vue'

const server = useFakeServer()
beforeEach(() => signIn('alice', 'correct-horse'))

describe('BroadcastCard', () => {
  it('puts nothing over the picture, which carries the AI label', async () => {
    Object.assign(URL, { createObjectURL: () => 'blob:picture', revokeObjectURL: () => undefined })
    const { broadcast } = server.current.state.world
    const address = `/api/v1/broadcasts/${broadcast.id}/thumbnail/?signature=s`
    server.current.state.overrides.set(`GET broadcasts/${broadcast.id}/thumbnail/`, { body: 'picture' })
    const props = { broadcast: { ...broadcast, thumbnail_url: address } as unknown as Broadcast, title: '秋季' }
    const { wrapper } = mountApp(BroadcastCard, { props })

    await eventually(() => expect(wrapper.find('[data-testid=thumbnail]').exists()).toBe(true))
    const all = wrapper.findAll('.picture > *').map((item) => item.element)
    expect(all.indexOf(wrapper.get('[data-testid=thumbnail]').element)).toBe(all.length - 1)
    expect(wrapper.get('.picture').text()).toBe('')
    expect(wrapper.get('[data-testid=tally]').text()).toContain('ON AIR')
  })
})

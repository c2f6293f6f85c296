import type { Organization } from '@/api/schema'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import { signIn } from '@/api/client'
import { useIntegrationsStore } from '@/stores/integrations'
import { useSessionStore } from '@/stores/session'

import { IDS } from '../../tests/fake-server/server.mjs'
import { mountApp } from '../../tests/mount'
import { membership } from '../../tests/roles'
import { eventually, useFakeServer } from '../../tests/useFakeServer'

import IntegrationsView from './IntegrationsView.vue'

const server = useFakeServer()
const ROOT = `organizations/${IDS.organization}`
const HOOK = {
  id: 'h1', url: 'https://shop.example.org/hook', description: 'Shop', event_types: [], is_active: true,
  disabled_reason: '', failing_since: null, old_secret_until: null, created_at: '2026-11-21T06:00:00Z', updated_at: '2026-11-21T06:00:00Z',
}
const DELIVERY = {
  id: 'd1', message_id: 'msg_1', type: 'broadcast.live', state: 'failed', attempts: 2, next_try_at: null, tried_at: null,
  status_code: 500, latency_ms: 12, answer: 'oops', error: 'It answered 500.', body: '{"type":"broadcast.live"}', created_at: '2026-11-21T06:00:00Z',
  tries: [
    { number: 2, at: '2026-11-21T06:00:05Z', status_code: 500, latency_ms: 12, answer: 'oops', error: 'It answered 500.' },
    { number: 1, at: '2026-11-21T06:00:00Z', status_code: null, latency_ms: 15000, answer: '', error: 'No answer within 15 s.' },
  ],
}
const KEY = {
  id: 'k1', name: 'Shop system', prefix: 'ls_3f9c', scopes: ['show.view'], created_by: 'alice',
  created_at: '2026-11-21T06:00:00Z', expires_at: null, last_used_at: null,
}

function answer(request: string, body: unknown, status = 200): void {
  server.current.state.overrides.set(request, { status, body })
}

/** An organization that has nothing yet. */
function answerOf(organization: string): void {
  for (const list of ['webhooks', 'api-keys']) answer(`GET organizations/${organization}/${list}/`, page())
}

const page = (...results: unknown[]) => ({ next: null, previous: null, results })
const asked = (method: string, path: string) =>
  server.current.state.requests.filter((item) => item.method === method && item.path === `${ROOT}/${path}`)

beforeEach(async () => {
  answer(`GET ${ROOT}/webhooks/`, page(HOOK))
  answer(`GET ${ROOT}/api-keys/`, page(KEY))
  answer(`GET ${ROOT}/webhooks/h1/deliveries/`, page(DELIVERY))
  await signIn('alice', 'correct-horse')
})

async function mountView(role: Organization['role'] = 'owner') {
  const mounted = mountApp(IntegrationsView)
  const session = useSessionStore()
  session.organizations = [membership(role)]
  session.chooseOrganization(IDS.organization)
  await mounted.wrapper.vm.$nextTick()
  return mounted.wrapper
}

describe('IntegrationsView', () => {
  it('makes a webhook and shows its secret once', async () => {
    const view = await mountView()
    await eventually(() => expect(view.findAll('[data-testid=webhook]')).toHaveLength(1))
    answer(`POST ${ROOT}/webhooks/`, { ...HOOK, id: 'h2', description: 'CRM', secret: 'whsec_once' }, 201)

    await view.get('[data-testid=webhook-url]').setValue(' https://crm.example.org/ ')
    await view.get('[data-testid=webhook-form]').trigger('submit')

    await eventually(() => expect(view.findAll('[data-testid=webhook]')).toHaveLength(2))
    expect(asked('POST', 'webhooks/')[0]?.body).toEqual({ url: 'https://crm.example.org/', description: '', event_types: [] })
    expect(view.get('[data-testid=told-once] input').attributes('value')).toBe('whsec_once')
    await view.get('[data-testid=told-kept]').trigger('click')
    expect(view.html()).not.toContain('whsec_once')
  })

  it('keeps what was typed when the address is refused, and says why', async () => {
    const view = await mountView()
    await eventually(() => expect(view.find('[data-testid=webhook-form]').exists()).toBe(true))
    const message = '10.0.0.7 leads to 10.0.0.7, a private address. Only public addresses work.'
    answer(`POST ${ROOT}/webhooks/`, { error: { code: 'egress_refused', message, details: [{ field: 'url', code: 'egress_refused', message }] } }, 400)

    await view.get('[data-testid=webhook-url]').setValue('http://10.0.0.7/')
    await view.get('[data-testid=webhook-form]').trigger('submit')

    await eventually(() => expect(view.get('[role=alert]').text()).toContain('private address'))
    expect((view.get('[data-testid=webhook-url]').element as HTMLInputElement).value).toBe('http://10.0.0.7/')
  })

  it('shows each try of a delivery, sends it again and sends a test', async () => {
    const view = await mountView()
    await eventually(() => expect(view.find('[data-testid=webhook-log]').exists()).toBe(true))

    await view.get('[data-testid=webhook-log]').trigger('click')
    await eventually(() => expect(view.findAll('[data-testid=try]')).toHaveLength(2))
    expect(view.findAll('[data-testid=try]')[1]?.text()).toContain('No answer within 15 s.')
    answer(`POST ${ROOT}/webhooks/h1/deliveries/d1/redeliver/`, DELIVERY, 202)
    await view.get('[data-testid=redeliver]').trigger('click')
    await eventually(() => expect(asked('POST', 'webhooks/h1/deliveries/d1/redeliver/')).toHaveLength(1))

    answer(`POST ${ROOT}/webhooks/h1/test/`, DELIVERY, 202)
    await eventually(() => expect(asked('GET', 'webhooks/h1/deliveries/').length).toBeGreaterThan(1))
    await view.get('[data-testid=webhook-test]').trigger('click')
    await eventually(() => expect(asked('POST', 'webhooks/h1/test/')).toHaveLength(1))
  })

  it('shows nothing of one organization under the name of the next, however late it comes', async () => {
    const view = await mountView()
    await eventually(() => expect(view.findAll('[data-testid=webhook]')).toHaveLength(1))
    const session = useSessionStore()
    let answer = (_: unknown) => undefined as void
    const late = { body: page(HOOK) }
    server.current.state.overrides.set(`GET ${ROOT}/webhooks/`, new Promise<unknown>((resolve) => (answer = resolve)))
    answerOf('comet')
    session.organizations = [...session.organizations, { ...session.organizations[0]!, id: 'comet', name: 'Comet' }]

    const first = useIntegrationsStore().load(IDS.organization)
    session.chooseOrganization('comet')
    await view.vm.$nextTick()
    expect(view.findAll('[data-testid=webhook]')).toHaveLength(0)
    await eventually(() => expect(view.find('[data-testid=webhook-form]').exists()).toBe(true))
    answer(late)
    await first

    expect(view.findAll('[data-testid=webhook]')).toHaveLength(0)
  })

  it('asks twice before it deletes or revokes', async () => {
    const view = await mountView()
    await eventually(() => expect(view.find('[data-testid=webhook-remove]').exists()).toBe(true))
    answer(`DELETE ${ROOT}/webhooks/h1/`, '', 204)
    answer(`DELETE ${ROOT}/api-keys/k1/`, '', 204)

    await view.get('[data-testid=webhook-remove]').trigger('click')
    await view.get('[data-testid=key-revoke]').trigger('click')
    expect(asked('DELETE', 'webhooks/h1/')).toHaveLength(0)
    // So that no double click decides.
    await new Promise((resolve) => setTimeout(resolve, 500))
    await view.get('[data-testid=webhook-remove-sure]').trigger('click')
    await view.get('[data-testid=key-revoke-sure]').trigger('click')

    await eventually(() => expect(view.findAll('[data-testid=webhook], [data-testid=api-key]')).toHaveLength(0))
  })

  it('does not take a date that is none for a network that is down', async () => {
    const view = await mountView()
    await eventually(() => expect(view.find('[data-testid=key-form]').exists()).toBe(true))
    await view.get('[data-testid=key-name]').setValue('CI')
    await view.findAll('[data-testid=key-form] input[type=checkbox]')[0]?.setValue(true)

    // One digit too many, which browsers let somebody type.
    await view.get('[data-testid=key-ends]').setValue('20266-11-30')
    await view.get('[data-testid=key-form]').trigger('submit')

    await eventually(() => expect(view.get('[data-testid=key-form] [role=alert]').text()).toBe('This is no date.'))
  })

  it('says that a copied text is copied, and of no other', async () => {
    const view = await mountView()
    await eventually(() => expect(view.find('[data-testid=webhook-rotate]').exists()).toBe(true))
    const writeText = vi.fn().mockResolvedValue(undefined)
    Object.assign(navigator, { clipboard: { writeText } })
    answer(`POST ${ROOT}/webhooks/h1/rotate-secret/`, { ...HOOK, secret: 'whsec_1' })
    await view.get('[data-testid=webhook-rotate]').trigger('click')
    await eventually(() => expect(view.find('[data-testid=told-copy]').exists()).toBe(true))
    await view.get('[data-testid=told-copy]').trigger('click')
    await eventually(() => expect(view.get('[data-testid=told-copy]').text()).toBe('Copied'))

    answer(`POST ${ROOT}/webhooks/h1/rotate-secret/`, { ...HOOK, secret: 'whsec_2' })
    await view.get('[data-testid=webhook-rotate]').trigger('click')
    await eventually(() => expect(view.get('[data-testid=told-once] input').attributes('value')).toBe('whsec_2'))

    expect(view.get('[data-testid=told-copy]').text()).toBe('Copy')
    writeText.mockRejectedValue(new DOMException('Write permission denied.', 'NotAllowedError'))
    await view.get('[data-testid=told-copy]').trigger('click')
    await eventually(() => expect(view.get('[data-testid=told-once] [role=alert]').text()).toContain('by hand'))
    Reflect.deleteProperty(navigator, 'clipboard')
  })

  it('makes a key with the scopes that were ticked', async () => {
    const view = await mountView()
    await eventually(() => expect(view.find('[data-testid=key-form]').exists()).toBe(true))
    answer(`POST ${ROOT}/api-keys/`, { ...KEY, id: 'k2', key: 'ls_secret' }, 201)

    const scopes = view.findAll<HTMLInputElement>('[data-testid=key-form] input[type=checkbox]')
    const offered = scopes.map((box) => box.element.value)
    // What is for people alone is not offered.
    expect(offered).not.toContain('organization.manage')
    await view.get('[data-testid=key-name]').setValue('CI')
    await scopes[offered.indexOf('show.edit')]?.setValue(true)
    await view.get('[data-testid=key-form]').trigger('submit')

    await eventually(() => expect(view.find('[data-testid=told-once]').exists()).toBe(true))
    expect(asked('POST', 'api-keys/')[0]?.body).toEqual({ name: 'CI', scopes: ['show.edit'], expires_at: null })
  })

  it('asks nothing of the server for who is no owner', async () => {
    const view = await mountView('producer')

    expect(view.text()).toContain('owners')
    expect(asked('GET', 'webhooks/')).toHaveLength(0)
  })
})

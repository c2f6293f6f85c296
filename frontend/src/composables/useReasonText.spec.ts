// @vitest-environment node
import { describe, expect, it } from 'vitest'

import { chineseReason } from './useReasonText'

describe('chineseReason', () => {
  it.each([
    ['the server closed the connection', '服务器关闭了连接'],
    ['cannot connect to a.example:1935: timed out', '无法连接 a.example:1935：timed out'],
    [
      "The presenter's process ended (killed by SIGKILL); it is being started again.",
      '主播进程退出（被 SIGKILL 终止），正在重新启动。',
    ],
    ['The voice server refuses the API key (401): bad (key)', '音色服务器拒绝了 API 密钥（401）：bad (key)'],
    ['$& is nothing we know', '$& is nothing we know'],
    ['', ''],
  ])('says %j', (english, chinese) => {
    expect(chineseReason(english)).toBe(chinese)
  })
})

# Dalli with its defaults: arguments are the server's address and port, and a name for keys. Says "ready" when one
# connection is there, waits for a line, and works on that and on another connection.

require 'dalli'

def check(holds, what)
  abort what unless holds
end

def connect
  Dalli::Client.new("#{ARGV[0]}:#{ARGV[1]}")
end

def work(client, name)
  50.times { |i| check(client.set("#{name}-#{i}", "value #{i} " * (1 + i * i)), "set #{i}") }
  check(client.set("#{name}-large", '0123456789abcdef' * 12_500), 'set a large value')
  0.step(49, 5) do |i|
    check(client.get("#{name}-#{i}") == "value #{i} " * (1 + i * i), "get #{i}")
    check(client.delete("#{name}-#{i}"), "delete #{i}")
  end
  many = (0...100).to_h { |i| ["#{name}-many-#{i}", { number: i, text: 'x' * i }] }
  # Quiet requests, and one that says that they are done.
  client.multi { many.each { |key, value| client.set(key, value) } }
  check(client.get_multi(*many.keys) == many, 'get many')
  client.multi { many.keys.first(10).each { |key| client.delete(key) } }
  check(client.get_multi(*many.keys).size == 90, 'get those that are left')
  check(client.set("#{name}-count", 5, nil, raw: true), 'set a number')
  check(client.incr("#{name}-count", 3) == 8, 'increment')
  check(!client.add("#{name}-count", 1), 'add what is there')
end

older = connect
older.set('before', 1)
check(older.delete('before'), 'the first connection')
puts 'ready'
$stdout.flush
$stdin.gets
older.get('nothing')
work(older, "#{ARGV[2]}-older")
work(connect, "#{ARGV[2]}-fresh")

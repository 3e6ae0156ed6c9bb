//! Does what the entity `way` says; see tests/it/black_box/conformance.

const std = @import("std");
const Value = std.json.Value;

var runs: u32 = 0;

pub fn main(init: std.process.Init) !void {
    const arena = init.arena.allocator();
    const io = init.io;
    var reader = std.Io.File.stdin().reader(io, &.{});
    const text = try reader.interface.allocRemaining(arena, .unlimited);
    const event = try std.json.parseFromSliceLeaky(Value, arena, text, .{});
    var buffer: [4096]u8 = undefined;
    var file = std.Io.File.stdout().writer(io, &buffer);
    const out = &file.interface;
    const way = string(first(event, "way"));
    const name = string(first(event, "name"));
    if (is(way, "greet")) {
        try says(out, if (name.len == 0) "नमस्ते" else try std.fmt.allocPrint(arena, "नमस्ते {s} 😊", .{name}));
    } else if (is(way, "element")) {
        const items = .{.{ .actionable_text = "Yes", .type = "TEXT_ONLY", .payload = .{ .message = "Yes" } }};
        try write(out, .{ .response = .{.{ .text = "Sure?", .type = "BUTTON", .data = .{ .items = items } }} });
    } else if (is(way, "details")) {
        try write(out, .{ .response = .{"kept"}, .conversation_details = .{ .step = "2" }, .user_details = .{ .city = name } });
    } else if (is(way, "decline")) {
        try write(out, .{ .status = false, .response = .{"Sorry."} });
    } else if (is(way, "amount")) {
        const amount = first(event, "amount") orelse return error.NoAmount;
        try says(out, try std.fmt.allocPrint(arena, "{s} {s}", .{ string(member(amount, "value")), string(member(amount, "unit")) }));
    } else if (is(way, "branch")) {
        try write(out, .{ .response = .{"gold"}, .tier = .{ .name = "gold", .points = .{ 1, 2.5 } } });
    } else if (is(way, "clock")) {
        try says(out, try std.fmt.allocPrint(arena, "{d}", .{std.Io.Clock.now(.real, io).toSeconds()}));
    } else if (is(way, "random")) {
        var drawn: [16]u8 = undefined;
        io.random(&drawn);
        try says(out, &std.fmt.bytesToHex(drawn, .lower));
    } else if (is(way, "wait")) {
        try io.sleep(.fromMilliseconds(50), .awake);
        try says(out, "rested");
    } else if (is(way, "count")) {
        runs += 1;
        try says(out, try std.fmt.allocPrint(arena, "{d}", .{runs}));
    } else if (is(way, "trap")) {
        @trap();
    } else if (is(way, "exit")) {
        std.process.exit(3);
    } else if (is(way, "not_json")) {
        try out.writeAll("{\"response\": [\"half a rep");
    } else if (is(way, "wrong_shape")) {
        try write(out, .{ .response = .{7} });
    } else if (is(way, "empty")) {
        try write(out, .{ .response = .{} });
    } else if (is(way, "long")) {
        const long = try arena.alloc(u8, 300 << 10);
        @memset(long, 'x');
        try says(out, long);
    } else if (is(way, "sleep")) {
        try io.sleep(.fromSeconds(60), .awake);
    } else if (is(way, "loop")) {
        while (true) std.mem.doNotOptimizeAway(&runs);
    } else if (is(way, "eat")) {
        while (true) {
            const eaten = arena.alloc(u8, 1 << 20) catch @trap();
            @memset(eaten, 1);
            std.mem.doNotOptimizeAway(eaten.ptr);
        }
    } else if (is(way, "recurse")) {
        try says(out, try std.fmt.allocPrint(arena, "{d}", .{descend(&runs)}));
    } else if (is(way, "calls")) {
        for (0..20_000) |call| std.debug.print("{d}\n", .{call});
        try says(out, "called");
    } else if (is(way, "log")) {
        std.debug.print("{s} was here\n", .{name});
        try says(out, "logged");
    } else if (is(way, "remember")) {
        try says(out, string(member(member(event, "user_details") orelse .null, "city")));
    } else {
        return error.NoSuchWay;
    }
    try out.flush();
}

fn is(way: []const u8, word: []const u8) bool {
    return std.mem.eql(u8, way, word);
}

/// The first value of an entity.
fn first(event: Value, entity: []const u8) ?Value {
    const detected = member(member(event, "entities") orelse return null, entity) orelse return null;
    if (detected != .array or detected.array.items.len == 0) return null;
    return member(detected.array.items[0], "entity_value");
}

fn member(value: Value, key: []const u8) ?Value {
    return if (value == .object) value.object.get(key) else null;
}

fn string(value: ?Value) []const u8 {
    const known = value orelse return "";
    return if (known == .string) known.string else "";
}

fn says(out: *std.Io.Writer, text: []const u8) !void {
    try write(out, .{ .status = true, .response = .{text} });
}

fn write(out: *std.Io.Writer, reply: anytype) !void {
    try std.json.Stringify.value(reply, .{}, out);
}

fn descend(above: *const volatile u32) u32 {
    var here: u32 = above.* +% 1;
    return descend(&here) +% here;
}

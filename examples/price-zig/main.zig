//! The price of a product: the event comes on standard input, the reply goes to standard output.

const std = @import("std");

const Reply = struct { status: bool, response: []const []const u8 };

pub fn main(init: std.process.Init) !void {
    const arena = init.arena.allocator();
    var reader = std.Io.File.stdin().reader(init.io, &.{});
    const text = try reader.interface.allocRemaining(arena, .unlimited);
    const event = try std.json.parseFromSliceLeaky(std.json.Value, arena, text, .{});
    var buffer: [4096]u8 = undefined;
    var writer = std.Io.File.stdout().writer(init.io, &buffer);
    try std.json.Stringify.value(priceOf(product(event) orelse ""), .{}, &writer.interface);
    try writer.interface.flush();
}

/// What the user asked for, where that was detected, and is a text.
fn product(event: std.json.Value) ?[]const u8 {
    const entities = member(event, "entities") orelse return null;
    const named = member(entities, "product_name") orelse return null;
    if (named != .array or named.array.items.len == 0) return null;
    const value = member(named.array.items[0], "entity_value") orelse return null;
    return if (value == .string) value.string else null;
}

fn member(value: std.json.Value, key: []const u8) ?std.json.Value {
    return if (value == .object) value.object.get(key) else null;
}

fn priceOf(name: []const u8) Reply {
    if (std.mem.eql(u8, name, "speaker")) return .{ .status = true, .response = &.{"The price of the speaker is ₹1500."} };
    if (std.mem.eql(u8, name, "powerbank")) return .{ .status = true, .response = &.{"The price of the powerbank is ₹1000."} };
    return .{ .status = false, .response = &.{"Sorry, we don't sell that."} };
}

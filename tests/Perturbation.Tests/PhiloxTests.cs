using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Perturbation.Tests;

public class PhiloxTests
{
    [Theory]
    [InlineData(0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8)]
    [InlineData(ulong.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue, uint.MaxValue, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd)]
    [InlineData(0x299f31d0_a4093822, 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1)]
    public void Philox_gives_its_authors_known_answers(ulong key, uint c0, uint c1, uint c2, uint c3, uint r0, uint r1, uint r2, uint r3) =>
        Assert.Equal(new Philox4x32.Block(r0, r1, r2, r3), Philox4x32.Generate(new(c0, c1, c2, c3), key));
}

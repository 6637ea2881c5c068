fn main(){cutaway_engine::bench_conv()}

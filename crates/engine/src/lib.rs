//! engine
#![allow(dead_code)]
mod kernels;
mod layers;
#[doc(hidden)]
pub fn bench_conv() {
    use layers::conv::*;
    let isa = kernels::Isa::detect();
    use kernels::winograd::Tile;
    for (name,h,c,o,k) in [("conv2",24,32,32,5usize),("conv3",10,32,64,3),("conv4",8,64,64,3),("conv1",28,1,32,5)] {
        let oh=h-k+1;
        let shape=ConvShape{input:[h,h,c],output:[oh,oh,o],kernel:[k,k],stride:[1,1],padding:[0;4],dilation:[1,1],groups:1};
        let mut algos=vec![Algorithm::Direct];
        if c>1 { algos.extend(Tile::for_filter(k).iter().map(|t| Algorithm::Winograd(*t))); }
        println!("{name} chosen {:?}", Algorithm::choose(isa,&shape));
        for a in algos {
            let mut conv=Conv::new(isa,shape.clone(),a,true);
            let w=vec![0.01f32;shape.weights()];
            conv.prepare(&w,Some(&vec![0.0;o]),true);
            let n=8;
            let x=vec![0.5f32;n*h*h*c]; let mut y=vec![0f32;n*oh*oh*o]; let mut dx=x.clone(); let mut dw=w.clone();
            let mut scratch=vec![0f32;conv.scratch_len(n,true)];
            let fl=(oh*oh*o*k*k*c*2*n) as f64;
            let time=|f:&mut dyn FnMut()| { let mut best=f64::MAX; for _ in 0..30 { let t=std::time::Instant::now(); f(); best=best.min(t.elapsed().as_secs_f64()); } best };
            let tp=time(&mut || conv.prepare(&w,None,true));
            let tf=time(&mut || conv.forward(n,&x,&mut y,true,&mut scratch));
            let tx=time(&mut || conv.backward(n,&x,&y,Some(&mut dx),None,&mut scratch));
            let tw=time(&mut || conv.backward(n,&x,&y,None,Some(&mut dw),&mut scratch));
            let tb=time(&mut || conv.backward(n,&x,&y,Some(&mut dx),Some(&mut dw),&mut scratch));
            println!("  {a:?}: fwd {:.1}us/img {:.0} GF | dx {:.1} {:.0} | dw {:.1} {:.0} | both {:.1} | prepare {:.0}us", tf*1e6/n as f64, fl/tf/1e9, tx*1e6/n as f64, fl/tx/1e9, tw*1e6/n as f64, fl/tw/1e9, tb*1e6/n as f64, tp*1e6);
        }
    }
}
